//! A stream that is removed is there as a whole, or gone as a whole, whatever interrupts it; and
//! nothing happens to the others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod volume_support;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat_log::sim::{Fault, SimDisk};
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{Finding, LogError, Now, StreamOptions, Volume};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use volume_support::{Payload, dir, options, read_all, stream, submit};

fn stays() -> StreamOptions {
    stream("stays", 1 << 20, &["out"])
}

fn goes() -> StreamOptions {
    StreamOptions { keeps_ids: true, ..stream("goes", 1 << 20, &["out"]) }
}

fn payloads(from: u8) -> Vec<Payload> {
    (from..from + 40).map(|byte| Payload::from(vec![byte; 1000])).collect()
}

fn step(volume: &mut Volume) -> Result<(), LogError> {
    volume.committer.commit(Now { instant: Instant::now() + Duration::from_secs(1), unix_nanos: 1 })
}

/// A volume with two streams of several segments, each with a dead letter.
fn filled() -> SimDisk {
    let disk = SimDisk::new(1);
    disk.create_dir(dir()).unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let mut volume = Volume::open(vfs, dir(), &options(), &[stays(), goes()]).unwrap();
    for lot in 0..10 {
        for (stream, from) in volume.streams.iter().zip([0, 100]) {
            submit(&stream.log, &payloads(from)[lot * 4..lot * 4 + 4]).unwrap();
            if lot == 0 {
                submit(&stream.dead_letters, &payloads(from)[..1]).unwrap();
            }
        }
        step(&mut volume).unwrap();
    }
    volume.committer.finish(Now { instant: Instant::now(), unix_nanos: 2 }).unwrap();
    disk.kill()
}

/// Opens the volume with a file that names one of the two, and has the other removed. Whether that
/// was said to be done.
fn remove(disk: &SimDisk) -> Result<bool, LogError> {
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let mut volume = Volume::open_all(vfs, dir(), &options(), &[stays()])?;
    let fate = volume.others.first().unwrap().log.remove_stream();
    step(&mut volume)?;
    Ok(fate.outcome().is_some_and(|outcome| outcome.is_ok()))
}

/// What a start that names the first stream only finds: whether the second is there. Whatever is, is
/// whole.
fn check(disk: &SimDisk) -> bool {
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let volume = Volume::open_all(vfs, dir(), &options(), &[stays()]).unwrap();
    // A marker that was not synced is a torn tail, and no damage.
    let torn = |finding: &Finding| matches!(finding, Finding::TornTail { .. });
    assert!(volume.findings.iter().all(torn), "{:?}", volume.findings);
    let whole = |stream: &lifeboat_log::Stream, from| {
        let found: Vec<_> =
            read_all(&stream.log, 0).unwrap().into_iter().map(|(_, payload)| payload).collect();
        assert_eq!(found, payloads(from));
        assert_eq!(read_all(&stream.dead_letters, 0).unwrap().len(), 1);
    };
    whole(&volume.streams[0], 0);
    match &volume.others[..] {
        [] => false,
        [other] => {
            whole(other, 100);
            true
        }
        more => panic!("{more:?}"),
    }
}

/// A name whose stream was removed is free: a new stream under it has nothing of the old one.
fn check_anew(disk: &SimDisk) {
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let mut volume = Volume::open(vfs, dir(), &options(), &[goes(), stays()]).unwrap();
    let anew = &volume.streams[0];
    assert_eq!((anew.log.marks().published_end, anew.log.marks().stopped), (0, None));
    assert_eq!(anew.dead_letters.marks().published_end, 0);
    let fate = submit(&anew.log, &payloads(200)[..3]).unwrap().fate;
    step(&mut volume).unwrap();
    assert_eq!(fate.outcome(), Some(Ok(0)));
}

#[test]
fn a_removed_stream_is_gone_and_the_other_is_not() {
    let disk = filled();
    assert!(check(&disk));
    assert!(remove(&disk).unwrap());
    let left = disk.list(&dir().join("streams").join("goes")).unwrap();
    let left: Vec<_> =
        left.into_iter().filter(|name| Path::new(name).extension().is_some()).collect();
    assert_eq!(left, Vec::<String>::new(), "files");
    for after in [disk.kill(), disk.power_cut(&mut SmallRng::seed_from_u64(1))] {
        assert!(!check(&after));
        check_anew(&after);
    }
}

#[test]
fn whatever_interrupts_it_the_stream_is_whole_or_gone() {
    let before = filled();
    let (mut whole, mut gone) = (0, 0);
    for persistent in [false, true] {
        for call in 1.. {
            let disk = before.fork();
            disk.fail_at(call, Fault::Eio, persistent);
            let done = remove(&disk).unwrap_or(false);
            if disk.calls() < call {
                assert!(done && call > 30, "{call}");
                break;
            }
            disk.heal();
            let mut rng = SmallRng::seed_from_u64(call);
            for after in [disk.power_cut(&mut rng), disk.kill()] {
                let there = check(&after);
                assert!(!(there && done), "call {call}: done, and there again");
                if there {
                    whole += 1;
                } else {
                    gone += 1;
                    check_anew(&after);
                }
            }
        }
    }
    assert!(whole > 20 && gone > 20, "{whole} whole, {gone} gone");
}

#[test]
fn a_stream_that_was_not_asked_for_is_left_as_it_is() {
    let disk = filled();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    disk.create_dir(&dir().join("streams").join("stray")).unwrap();
    let volume = Volume::open(Arc::clone(&vfs), dir(), &options(), &[stays()]).unwrap();
    assert_eq!(
        (volume.others.len(), &volume.removed[..]),
        (0, &["goes".into(), "stray".into()][..])
    );
    drop(volume);
    let volume = Volume::open_all(vfs, dir(), &options(), &[stays()]).unwrap();
    assert_eq!((volume.others.len(), &volume.removed[..]), (1, &["stray".to_owned()][..]));
    assert!(volume.others[0].kept_ids.is_some(), "its ids are not let go");
    drop(volume);
    assert!(check(&disk));
}
