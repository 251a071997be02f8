//! The volume over a disk that fails: at every call in turn, once and for good. Nobody gets a false
//! receipt, nobody waits for ever, and the next start finds what was promised.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are small")]

mod volume_support;

use std::path::Path;
use std::sync::Arc;

use lifeboat_log::sim::{Fault, SimDisk};
use lifeboat_log::{Fate, LogError, Read, Refusal, Rejection, Urgency};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use volume_support::history::Calls;
use volume_support::oracle::{Expected, Seen};
use volume_support::workload::Workload;
use volume_support::{Clock, Payload, dir, open, settle, submit, within};

const STEPS: usize = 16;

/// Runs three workloads, in the last of which records go by their age, once for each of their calls, that call failing, and restarts after each.
/// Returns how many runs of the first broke.
fn ladder(fault: Fault, persistent: bool, may_break: impl Fn(&LogError) -> bool) -> usize {
    let broke = [5, 6, 7].map(|seed| climb(seed, fault, persistent, &may_break));
    assert_eq!(broke[0] == 0, broke[1] == 0 && broke[2] == 0);
    broke[0]
}

fn climb(
    seed: u64,
    fault: Fault,
    persistent: bool,
    may_break: &impl Fn(&LogError) -> bool,
) -> usize {
    let mut broke = 0;
    for call in 1.. {
        let disk = SimDisk::new(call);
        disk.fail_at(call, fault, persistent);
        let count = || 0;
        let workload = Workload::new(Arc::new(disk.clone()), seed, &count);
        let mut workload = if seed == 7 { workload.aging() } else { workload };
        workload.run(STEPS);
        if disk.calls() < call {
            assert!(call > 150, "the ladder of {seed} has {call} rungs");
            return broke;
        }
        if let Some(error) = &workload.broke {
            assert!(may_break(error), "call {call}: {error:?}");
            broke += 1;
        }
        disk.heal();
        let expected = Expected::new(&workload.history, Calls::MAX);
        let cut = disk.power_cut(&mut SmallRng::seed_from_u64(call));
        for after in [disk.kill(), cut] {
            let checked = expected.check(&open(Arc::new(after)).unwrap());
            assert_eq!(checked, Ok(()), "call {call}");
        }
    }
    broke
}

#[test]
fn an_error_of_the_device_breaks_no_promise() {
    let broke = ladder(Fault::Eio, false, |_| true);
    assert!(broke > 200, "{broke}");
}

#[test]
fn a_device_that_fails_for_good_breaks_no_promise() {
    let broke = ladder(Fault::Eio, true, |_| true);
    assert!(broke > 200, "{broke}");
}

/// A sync that fails is final whatever its reason, and so is a snapshot that came into being by
/// half. Nothing else ends a volume for want of space.
fn is_final(error: &LogError) -> bool {
    matches!(error, LogError::Io { operation: "sync" | "rename", .. })
}

#[test]
fn want_of_space_breaks_no_promise_and_passes() {
    let broke = ladder(Fault::Enospc, false, is_final);
    assert!(broke < 100, "{broke}");
}

#[test]
fn want_of_space_for_good_breaks_no_promise() {
    // A volume that cannot be opened says so.
    ladder(Fault::Enospc, true, |error| is_final(error) || matches!(error, LogError::Full));
}

#[test]
fn signals_and_short_writes_go_unnoticed() {
    for persistent in [false, true] {
        for fault in [Fault::Eintr, Fault::ShortWrite] {
            assert_eq!(ladder(fault, persistent, |_| false), 0);
        }
    }
}

/// Every call of a recovery fails, once and for good; then it is tried again.
#[test]
fn a_recovery_that_fails_can_be_tried_again() {
    let disk = SimDisk::new(1);
    let count = || 0;
    Workload::new(Arc::new(disk.clone()), 3, &count).run(40).unwrap();
    let cut = disk.power_cut(&mut SmallRng::seed_from_u64(1));
    let expected = Seen::of(&open(Arc::new(cut.fork())).unwrap());
    for (fault, persistent) in
        [(Fault::Eio, false), (Fault::Eio, true), (Fault::Enospc, false), (Fault::Enospc, true)]
    {
        for call in 1.. {
            let disk = cut.fork();
            disk.fail_at(call, fault, persistent);
            let failed = open(Arc::new(disk.clone())).is_err();
            if disk.calls() < call {
                assert!(call > 50);
                break;
            }
            assert!(failed || fault == Fault::Enospc || !persistent, "call {call}");
            disk.heal();
            let seen = Seen::of(&open(Arc::new(disk.kill())).unwrap());
            assert!(seen == expected, "{fault:?} at call {call}");
        }
    }
}

fn segment() -> &'static Path {
    Path::new("/data/streams/wide/00000000000000000000.log")
}

/// The cache of a machine that was not restarted shows what a failed sync gave up.
#[test]
fn what_a_failed_sync_gave_up_is_not_believed_after_a_restart() {
    let mut lost = 0;
    for seed in 0..60 {
        let disk = SimDisk::new(seed);
        let mut volume = open(Arc::new(disk.clone())).unwrap();
        let (log, mut clock) = (&volume.streams[0].log, Clock::new());
        submit(log, &[Payload::from(vec![1; 600])]).unwrap();
        volume.committer.commit(clock.after(0)).unwrap();
        let fate = submit(log, &[Payload::from(vec![2; 600])]).unwrap().fate;
        disk.fail_next_sync(segment()).unwrap();
        volume.committer.commit(clock.after(0)).unwrap_err();
        assert_eq!(fate.outcome(), None, "no receipt");
        volume.committer.close(Refusal::Poisoned);
        assert_eq!(fate.outcome(), Some(Err(Refusal::Poisoned)));

        let disk = disk.kill();
        let volume = open(Arc::new(disk.clone())).unwrap();
        let end = volume.streams[0].log.published_end();
        assert!((1..=2).contains(&end));
        lost += 2 - end;
        let seen = Seen::of(&volume);
        let cut = disk.power_cut(&mut SmallRng::seed_from_u64(seed));
        assert!(seen == Seen::of(&open(Arc::new(cut)).unwrap()), "seed {seed}");
    }
    assert!((10..60).contains(&lost), "both happen: {lost}");
}

#[test]
fn a_failed_sync_ends_the_writer_and_leaves_nobody_waiting() {
    let disk = SimDisk::new(1);
    let volume = open(Arc::new(disk.clone())).unwrap();
    let (wide, tight) = (volume.streams[0].log.clone(), volume.streams[1].log.clone());
    let early = submit(&wide, &[Payload::from(&b"early"[..])]).unwrap().fate;
    let (running, _, journal) = volume.start().unwrap();
    assert_eq!(early.wait_blocking(), Ok(0));
    disk.fail_next_sync(segment()).unwrap();
    let late = submit(&wide, &[Payload::from(&b"late"[..])]).unwrap().fate;
    let ended = running.writer.ended();
    within(|| ended.outcome().is_some());
    assert_eq!(ended.outcome(), Some(Err(Refusal::Poisoned)));
    assert_eq!(late.outcome(), Some(Err(Refusal::Poisoned)));
    for log in [&wide, &tight] {
        let refused = submit(log, &[Payload::from(&b"later"[..])]).unwrap_err();
        assert_eq!(refused, Rejection::Closed(Refusal::Poisoned));
        assert!(log.published_end() <= 1);
    }
    assert_eq!(journal.submit([], Urgency::Now).outcome(), Some(Err(Refusal::Poisoned)));
    assert!(matches!(running.writer.stop(), Err(LogError::Io { operation: "sync", .. })));
}

/// A writer that nobody stops would go on without its volume's lock.
#[test]
fn a_writer_that_is_dropped_stops_in_good_order() {
    let disk = SimDisk::new(1);
    let volume = open(Arc::new(disk.clone())).unwrap();
    let log = volume.streams[0].log.clone();
    let (running, ..) = volume.start().unwrap();
    let fate = submit(&log, &[Payload::from(&b"x"[..])]).unwrap().fate;
    let ended = running.writer.ended();
    drop(running);
    assert_eq!((fate.outcome(), ended.outcome()), (Some(Ok(0)), Some(Ok(()))));
    assert_eq!(open(Arc::new(disk)).unwrap().streams[0].log.published_end(), 1);
}

#[test]
fn an_idle_writer_sleeps() {
    let mut volume = open(Arc::new(SimDisk::new(1))).unwrap();
    let mut clock = Clock::new();
    assert_eq!(volume.committer.deadline(), None);
    submit(&volume.streams[0].log, &[Payload::from(&b"x"[..])]).unwrap();
    let flush = volume.journal.submit([], Urgency::Now);
    volume.committer.commit(clock.after(0)).unwrap();
    assert_eq!(flush.outcome(), Some(Ok(())), "nothing to store is no reason to wait");
    let lazy = settle(&volume, 0, 0, 0..1, Urgency::Lazy);
    volume.committer.commit(clock.after(1)).unwrap();
    for millis in [4, 50] {
        assert!(volume.committer.deadline().is_some());
        volume.committer.commit(clock.after(millis)).unwrap();
    }
    assert_eq!(lazy.outcome(), Some(Ok(())));
    assert_eq!(volume.committer.deadline(), None, "a marker and a sync, and then nothing");
}

/// More operations than one batch of the journal takes, gathered while a sync took its time.
#[test]
fn any_number_of_operations_may_have_gathered() {
    const OPS: u64 = 250_000;
    let mut volume = open(Arc::new(SimDisk::new(1))).unwrap();
    let fates: Vec<Arc<Fate<()>>> =
        (0..OPS).map(|seq| settle(&volume, 0, 0, 2 * seq..2 * seq + 1, Urgency::Lazy)).collect();
    volume.committer.commit(Clock::new().after(60)).unwrap();
    assert!(fates.iter().all(|fate| fate.outcome() == Some(Ok(()))));
}

#[test]
fn the_data_directory_keeps_its_name() {
    let disk = SimDisk::new(1);
    let volume = open(Arc::new(disk.clone())).unwrap();
    for seed in 0..20 {
        let cut = disk.power_cut(&mut SmallRng::seed_from_u64(seed));
        assert!(cut.contents(&dir().join("volume.meta")).is_ok());
        assert_eq!(open(Arc::new(cut)).unwrap().id, volume.id);
    }
}

/// Dead letters have no place in memory, so each of them is read from disk, by a reader whose window
/// reaches as far as anything was published. A write that failed halfway is written again there.
#[test]
fn a_reader_that_follows_sees_all_that_is_published_and_nothing_else() {
    for call in 1..200 {
        let disk = SimDisk::new(call);
        let mut volume = open(Arc::new(disk.clone())).unwrap();
        let log = volume.streams[0].dead_letters.clone();
        let (mut reader, mut clock) = (log.reader(), Clock::new());
        disk.fail_at(disk.calls() + call, Fault::Enospc, false);
        let mut seq = 0;
        for number in 0..30u8 {
            let payload = Payload::from(vec![number; 300]);
            submit(&log, &[payload]).unwrap();
            assert_eq!(reader.read(seq).unwrap(), Read::End);
            if volume.committer.commit(clock.after(3)).is_err() {
                break;
            }
            while let Read::Batch(batch) = reader.read(seq).unwrap() {
                assert_eq!(batch.first_seq, seq);
                assert_eq!(batch.payload_bytes(seq).unwrap(), [seq as u8; 300]);
                seq = batch.first_seq + 1;
            }
            assert_eq!(seq, log.published_end());
            assert!(seq + 1 >= u64::from(number), "one commit behind at most");
        }
    }
}
