//! Streams and disks without space: producers wait, nothing is lost, and draining is always
//! possible, over restarts too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are small")]

mod volume_support;

use std::sync::Arc;
use std::time::Duration;

use lifeboat_log::sim::{Fault, SimDisk};
use lifeboat_log::vfs::{Space, Vfs};
use lifeboat_log::{
    DeliveryId, Fate, LogError, MAX_RECORD_LEN, Op, Refusal, Rejection, Run, Submitted, Urgency,
    Volume,
};
use volume_support::tap::{Tap, Tapped};
use volume_support::{Clock, Payload, dir, open, options, read_all, settle, stream, submit};

/// The stream with little space.
const TIGHT: usize = 1;

fn record(number: u64, len: usize) -> Payload {
    number.to_le_bytes().into_iter().cycle().take(len).collect()
}

/// Hands records over until the stream is full; returns all fates.
fn fill(volume: &mut Volume, clock: &mut Clock) -> Vec<Arc<Fate<u64>>> {
    let log = volume.streams[TIGHT].log.clone();
    let mut fates = Vec::new();
    while !log.marks().full {
        assert!(fates.len() < 1000, "it fills up");
        fates.push(submit(&log, &[record(fates.len() as u64, 900)]).unwrap().fate);
        volume.committer.commit(clock.after(1)).unwrap();
    }
    fates
}

/// Settles what is published and commits until that is durable and deleted.
fn drain(volume: &mut Volume, clock: &mut Clock) {
    for (at, stream) in volume.streams.iter().enumerate() {
        for delivery in 0..stream.deliveries.len() {
            settle(volume, at, delivery, 0..stream.log.published_end(), Urgency::Now);
        }
    }
    for _ in 0..3 {
        volume.committer.commit(clock.after(100)).unwrap();
    }
}

#[test]
fn records_that_wait_and_records_that_come_later_keep_their_order() {
    let mut volume = open(Arc::new(SimDisk::new(1))).unwrap();
    let mut clock = Clock::new();
    let mut fates = fill(&mut volume, &mut clock);
    let log = volume.streams[TIGHT].log.clone();
    assert_eq!(fates.last().unwrap().outcome(), None);
    assert!(log.marks().disk_bytes <= 40 << 10);
    // Three groups: one that waits, one in the queue while it does, one with it.
    for _ in 0..2 {
        fates.push(submit(&log, &[record(fates.len() as u64, 900)]).unwrap().fate);
        volume.committer.commit(clock.after(1)).unwrap();
    }
    assert!(fates.iter().rev().take(3).all(|fate| fate.outcome().is_none()));
    let group = fates.pop().unwrap();
    drain(&mut volume, &mut clock);
    assert!(!log.marks().full);
    for (seq, fate) in (0..).zip(&fates) {
        assert_eq!(fate.outcome(), Some(Ok(seq)));
    }
    assert_eq!(group.outcome(), fates.last().unwrap().outcome(), "one group");
    let end = fates.len() as u64 + 1;
    let kept = read_all(&log, 0).unwrap();
    assert_eq!(kept.last(), Some(&(end - 1, record(end - 1, 900))));
    assert!(kept.iter().all(|(seq, payload)| *payload == record(*seq, 900)));
}

#[test]
fn producers_of_a_full_stream_are_held_back_and_others_are_not() {
    let mut volume = open(Arc::new(SimDisk::new(1))).unwrap();
    let mut clock = Clock::new();
    fill(&mut volume, &mut clock);
    let (wide, tight) = (volume.streams[0].log.clone(), volume.streams[TIGHT].log.clone());
    let mut held = 0;
    let refused = loop {
        match submit(&tight, &[record(0, 900)]) {
            Ok(_) => held += 1,
            Err(refused) => break refused,
        }
        volume.committer.commit(clock.after(1)).unwrap();
    };
    assert_eq!(refused, Rejection::Full);
    assert!((1..20).contains(&held), "{held}: bounded by the queue");
    let fate = submit(&wide, &[record(0, 900)]).unwrap().fate;
    volume.committer.commit(clock.after(1)).unwrap();
    assert_eq!(fate.outcome(), Some(Ok(0)));
    // Its marker is made, nothing else is left to do.
    volume.committer.commit(clock.after(10)).unwrap();
    let now = std::time::Instant::now();
    let left = volume.committer.deadline().unwrap().saturating_duration_since(now);
    assert!(left.as_millis() > 50, "a full stream is no reason to spin");
}

/// A crash may come between any two steps of settling, journaling and deleting.
#[test]
fn a_full_stream_goes_on_after_a_crash_at_any_moment_of_its_draining() {
    let disk = SimDisk::new(1);
    let mut volume = open(Arc::new(disk.clone())).unwrap();
    let mut clock = Clock::new();
    fill(&mut volume, &mut clock);
    disk.record();
    drain(&mut volume, &mut clock);
    let mut still_full = 0;
    for moment in disk.recorded() {
        let mut volume = open(Arc::new(moment.kill())).unwrap();
        let log = volume.streams[TIGHT].log.clone();
        let end = log.published_end();
        if volume.streams[TIGHT].deliveries[0].1.cursor < end {
            continue;
        }
        let fates = fill_a_little(&mut volume, &mut clock);
        still_full += usize::from(fates.iter().any(|fate| fate.outcome().is_none()));
        for _ in 0..3 {
            volume.committer.commit(clock.after(100)).unwrap();
        }
        assert!(fates.iter().all(|fate| fate.outcome().is_some()), "nobody would wake it");
    }
    assert!(still_full > 0, "some moments are between settling and deleting");
}

/// Hands a segment's worth of records over.
fn fill_a_little(volume: &mut Volume, clock: &mut Clock) -> Vec<Arc<Fate<u64>>> {
    let log = &volume.streams[TIGHT].log;
    let fates = (0..4).map(|number| submit(log, &[record(number, 900)]).unwrap().fate).collect();
    volume.committer.commit(clock.after(1)).unwrap();
    fates
}

/// A share may shrink between two boots, below what is stored and even below one large record.
#[test]
fn a_stream_over_its_share_at_the_start_drains() {
    for large in [900, 30_000] {
        let disk = SimDisk::new(1);
        let mut volume = open(Arc::new(disk.clone())).unwrap();
        let mut clock = Clock::new();
        let log = volume.streams[TIGHT].log.clone();
        let mut stored = 0;
        while log.marks().disk_bytes < 34 << 10 {
            submit(&log, &[record(stored, large)]).unwrap();
            volume.committer.commit(clock.after(1)).unwrap();
            stored += 1;
        }
        drop(volume);
        let shrunk =
            [stream("wide", 1 << 20, &["first", "second"]), stream("tight", 20 << 10, &["only"])];
        let mut volume = Volume::open(Arc::new(disk), dir(), &options(), &shrunk).unwrap();
        let log = volume.streams[TIGHT].log.clone();
        assert!(log.marks().disk_bytes > 20 << 10);
        assert_eq!(read_all(&log, 0).unwrap().len() as u64, stored);
        let fate = submit(&log, &[record(7, 900)]).unwrap().fate;
        volume.committer.commit(clock.after(1)).unwrap();
        assert_eq!(fate.outcome(), None, "no space");
        drain(&mut volume, &mut clock);
        assert_eq!(fate.outcome(), Some(Ok(stored)));
        drain(&mut volume, &mut clock);
        assert!(log.marks().disk_bytes <= 20 << 10);
    }
}

/// Not a byte is free, and the reserve is used up bit by bit.
#[test]
fn a_full_disk_opens_again_and_again_and_drains() {
    let disk = SimDisk::new(1);
    let mut volume = open(Arc::new(disk.clone())).unwrap();
    let mut clock = Clock::new();
    let mut stored = 0;
    let log = volume.streams[0].log.clone();
    for _ in 0..40 {
        stored += 3;
        submit(&log, &[record(1, 900), record(2, 900), record(3, 900)]).unwrap();
        volume.committer.commit(clock.after(7)).unwrap();
    }
    disk.set_capacity(disk.used());
    drop((log, volume));
    let mut fates = Vec::new();
    for boot in 0..20 {
        let mut volume = open(Arc::new(disk.clone())).unwrap();
        assert!(volume.findings.is_empty(), "{:?}", volume.findings);
        let log = volume.streams[0].log.clone();
        assert_eq!(log.published_end(), stored, "boot {boot}");
        // Now and then a little is settled, which is journaled on the reserve's space.
        settle(&volume, 0, 0, boot..boot + 1, Urgency::Now);
        fates = (0..8).map(|number| submit(&log, &[record(number, 2_000)]).unwrap().fate).collect();
        volume.committer.commit(clock.after(100)).unwrap();
        stored = log.published_end();
        disk.set_capacity(disk.used());
    }
    drop(fates);
    let mut volume = open(Arc::new(disk.clone())).unwrap();
    drain(&mut volume, &mut clock);
    let log = volume.streams[0].log.clone();
    assert!(log.marks().disk_bytes < 40 << 10, "{:?}", log.marks());
    let fate = submit(&log, &[record(9, 3_000)]).unwrap().fate;
    volume.committer.commit(clock.after(1)).unwrap();
    assert!(fate.outcome().is_some(), "there is room again");
}

/// Others fill the disk: nobody is told a lie, and all goes on once there is room.
#[test]
fn producers_wait_while_the_disk_is_full_and_the_reserve_is_gone() {
    let disk = SimDisk::new(1);
    let mut volume = open(Arc::new(disk.clone())).unwrap();
    let mut clock = Clock::new();
    let log = volume.streams[0].log.clone();
    let mut fates = vec![submit(&log, &[record(0, 900)]).unwrap().fate];
    volume.committer.commit(clock.after(1)).unwrap();
    disk.set_capacity(disk.used());
    let mut settled = 0;
    let reserve = || disk.contents(&dir().join("reserve")).unwrap().len();
    let all = reserve();
    while reserve() == all {
        settle(&volume, 0, 0, 2 * settled..2 * settled + 1, Urgency::Now);
        volume.committer.commit(clock.after(1)).unwrap();
        settled += 1;
        assert!(settled < 10_000, "the journal grows into the reserve");
    }
    let refused = loop {
        match submit(&log, &[record(1, 900)]) {
            Ok(submitted) => fates.push(submitted.fate),
            Err(refused) => break refused,
        }
        volume.committer.commit(clock.after(1)).unwrap();
    };
    assert_eq!(refused, Rejection::Full);
    assert_eq!(fates.last().unwrap().outcome(), None);
    assert_eq!(reserve(), all / 4, "what is left of it is for the next start");
    let next = open(Arc::new(disk.fork())).unwrap();
    assert_eq!(next.streams[0].log.published_end(), log.published_end());
    disk.set_capacity(1 << 30);
    volume.committer.commit(clock.after(100)).unwrap();
    volume.committer.commit(clock.after(100)).unwrap();
    assert!(fates.iter().all(|fate| matches!(fate.outcome(), Some(Ok(_)))));
}

/// Nobody should hand it over; it must not fill the disk with empty segments.
#[test]
fn a_record_beyond_the_formats_limit_ends_the_writer() {
    let disk = SimDisk::new(1);
    disk.create_dir(dir()).unwrap();
    let streams = [stream("wide", 1 << 30, &["only"])];
    let mut volume = Volume::open(Arc::new(disk.clone()), dir(), &options(), &streams).unwrap();
    let fate = submit(&volume.streams[0].log, &[vec![0; MAX_RECORD_LEN + 1].into()]).unwrap().fate;
    let refused = volume.committer.commit(Clock::new().after(0));
    assert!(matches!(refused, Err(LogError::TooLarge { .. })), "{refused:?}");
    volume.committer.close(Refusal::Poisoned);
    assert_eq!(fate.outcome(), Some(Err(Refusal::Poisoned)));
    let files = disk.list(&dir().join("streams/wide")).unwrap();
    assert!(files.len() <= 3, "{files:?}");
}

#[test]
fn a_volume_that_finds_no_room_at_all_says_so() {
    let disk = SimDisk::new(1);
    disk.set_capacity(4096);
    assert!(matches!(open(Arc::new(disk.clone())), Err(LogError::Full)));
    disk.set_capacity(1 << 30);
    open(Arc::new(disk)).unwrap();
}

/// Submits records of this size to the refusing way in.
fn submit_refusing(volume: &Volume, count: usize, len: usize) -> Submitted {
    let bytes = vec![7; count * len];
    let ends = (0..count as u32).map(|at| at * len as u32..(at + 1) * len as u32);
    let records: Vec<_> = ends.collect();
    let queue = volume.streams[TIGHT].log.refusing_queue();
    queue.submit(Run { bytes: &bytes, records: &records }, &mut Vec::new()).unwrap()
}

#[test]
fn who_would_rather_know_is_refused_at_once_and_who_waits_is_not() {
    let mut volume = open(Arc::new(SimDisk::new(1))).unwrap();
    let mut clock = Clock::new();
    let log = volume.streams[TIGHT].log.clone();
    let mut stored = 0;
    // Groups of several records: the last is stored in part.
    while !log.marks().full {
        let (first, second) = (submit_refusing(&volume, 1, 900), submit_refusing(&volume, 2, 900));
        volume.committer.commit(clock.after(1)).unwrap();
        let seqs = [first.seqs().unwrap(), second.seqs().unwrap()];
        for (seqs, most) in seqs.into_iter().zip([1, 2]) {
            let found = seqs.unwrap_or_default().take(most).collect::<Vec<u64>>();
            assert!(found.iter().copied().eq((stored..).take(found.len())), "{found:?}");
            stored += found.len() as u64;
        }
        assert!(stored < 1000, "it fills up");
        assert_eq!(log.published_end(), stored, "just what the answers say");
    }
    assert_ne!(stored % 3, 0, "a group was stored in part");
    let refused = submit_refusing(&volume, 1, 900);
    volume.committer.commit(clock.after(1)).unwrap();
    assert_eq!(refused.seqs(), Some(Err(Refusal::NoSpace)));
    assert!(log.marks().full);
    // One that waits has its turn before those that come later and do not.
    let waiting = submit(&log, &[record(0, 900)]).unwrap();
    volume.committer.commit(clock.after(1)).unwrap();
    let later = submit_refusing(&volume, 1, 10);
    volume.committer.commit(clock.after(1)).unwrap();
    assert_eq!((waiting.seqs(), later.seqs()), (None, Some(Err(Refusal::NoSpace))));
    drain(&mut volume, &mut clock);
    assert_eq!(waiting.seqs().unwrap().unwrap().start, stored);
    assert!(!log.marks().full);
    let again = submit_refusing(&volume, 1, 900);
    volume.committer.commit(clock.after(1)).unwrap();
    assert_eq!(again.seqs().unwrap().unwrap().start, stored + 1);
}

/// A small record would fit where a large one waits, and would take its seq.
#[test]
fn nobody_overtakes_a_record_that_waits() {
    let mut volume = open(Arc::new(SimDisk::new(1))).unwrap();
    let mut clock = Clock::new();
    let log = volume.streams[TIGHT].log.clone();
    for _ in 0..16 {
        submit(&log, &[record(0, 900)]).unwrap();
        volume.committer.commit(clock.after(1)).unwrap();
    }
    let waiting = submit(&log, &[record(0, 30 << 10)]).unwrap();
    volume.committer.commit(clock.after(1)).unwrap();
    let small = submit_refusing(&volume, 1, 10);
    volume.committer.commit(clock.after(1)).unwrap();
    assert_eq!((waiting.seqs(), small.seqs()), (None, Some(Err(Refusal::NoSpace))));
    drain(&mut volume, &mut clock);
    assert_eq!(waiting.seqs().unwrap().unwrap().start, 16);
    assert_eq!(log.published_end(), 17);
}

/// A disk may find that it is full wherever it is asked for something, and have room again.
#[test]
fn whatever_a_refusal_left_behind_the_next_record_of_any_size_is_stored() {
    let (mut call, mut refusals) = (0, 0);
    loop {
        let disk = SimDisk::new(1);
        let mut volume = open(Arc::new(disk.clone())).unwrap();
        let mut clock = Clock::new();
        call += 1;
        disk.fail_at(disk.calls() + call, Fault::Enospc, false);
        let before = disk.calls();
        let small = submit_refusing(&volume, 1, 900);
        if volume.committer.commit(clock.after(0)).is_err() {
            // A sync is asked for no space.
            continue;
        }
        if disk.calls() < before + call {
            break;
        }
        let end = match small.seqs().unwrap() {
            Ok(_) => 1,
            Err(refusal) => {
                assert_eq!(refusal, Refusal::NoSpace);
                refusals += 1;
                0
            }
        };
        let large = submit_refusing(&volume, 1, 9_000);
        volume.committer.commit(clock.after(0)).unwrap();
        assert_eq!(large.seqs().unwrap().unwrap().start, end, "call {call}");
        let volume = open(Arc::new(disk.kill())).unwrap();
        let log = &volume.streams[TIGHT].log;
        assert_eq!(read_all(log, end).unwrap(), [(end, Payload::from(vec![7; 9_000]))]);
        assert!(log.marks().disk_bytes < 24 << 10);
    }
    assert!(refusals >= 4, "create, allocate, write, rename, write: {refusals}");
}

#[test]
fn a_refusal_is_forgotten_once_space_is_freed() {
    let mut volume = open(Arc::new(SimDisk::new(1))).unwrap();
    let mut clock = Clock::new();
    let log = volume.streams[TIGHT].log.clone();
    fill_refusing(&mut volume, &mut clock);
    drain(&mut volume, &mut clock);
    assert!(!log.marks().full, "without another try");
}

/// Submits to the refusing way in until nothing is taken any more.
fn fill_refusing(volume: &mut Volume, clock: &mut Clock) {
    for _ in 0..1000 {
        submit_refusing(volume, 1, 900);
        volume.committer.commit(clock.after(1)).unwrap();
        if volume.streams[TIGHT].log.marks().full {
            return;
        }
    }
    panic!("it fills up");
}

#[test]
fn a_refusal_is_forgotten_once_dead_letters_that_took_the_space_are_gone() {
    let mut volume = open(Arc::new(SimDisk::new(1))).unwrap();
    let mut clock = Clock::new();
    let letters = volume.streams[TIGHT].dead_letters.clone();
    for number in 0..12 {
        submit(&letters, &[record(number, 900)]).unwrap();
        volume.committer.commit(clock.after(1)).unwrap();
    }
    fill_refusing(&mut volume, &mut clock);
    volume.committer.commit(clock.after(100)).unwrap();
    assert!(volume.streams[TIGHT].log.marks().full);
    let (stream, delivery) = (letters.id(), DeliveryId(1));
    let ops = [
        Op::DeliveryCreated { stream, delivery, name: "taken".into(), cursor: 0 },
        Op::Settled { stream, delivery, range: 0..letters.published_end() },
    ];
    volume.journal.submit(ops, Urgency::Now);
    volume.committer.commit(clock.after(1)).unwrap();
    assert!(letters.marks().log_start > 0);
    assert!(!volume.streams[TIGHT].log.marks().full, "with that very step");
}

#[test]
fn a_refusal_is_forgotten_once_others_make_room_on_the_disk() {
    let disk = SimDisk::new(1);
    let mut volume = open(Arc::new(disk.clone())).unwrap();
    let mut clock = Clock::new();
    disk.set_capacity(disk.used());
    fill_refusing(&mut volume, &mut clock);
    volume.committer.commit(clock.after(100)).unwrap();
    let log = volume.streams[TIGHT].log.clone();
    assert!(log.marks().full);
    assert!(volume.committer.deadline().is_some(), "it looks again");
    disk.set_capacity(1 << 30);
    volume.committer.commit(clock.after(100)).unwrap();
    assert!(!log.marks().full);
    volume.committer.commit(clock.after(100)).unwrap();
    assert_eq!(volume.committer.deadline(), None, "and then no more");
}

/// A quota: the file system has more than it gives.
#[derive(Debug)]
struct Quota;

impl Tap for Quota {
    fn space(&self, real: Space) -> Space {
        Space { available: 1 << 30, ..real }
    }
}

#[test]
fn a_refusal_by_a_quota_is_shown_while_records_are_refused_and_wakes_nobody_again() {
    let disk = SimDisk::new(1);
    let mut volume = open(Arc::new(Tapped::new(disk.clone(), Arc::new(Quota)))).unwrap();
    let mut clock = Clock::new();
    disk.set_capacity(disk.used());
    fill_refusing(&mut volume, &mut clock);
    let log = volume.streams[TIGHT].log.clone();
    for _ in 0..100 {
        let changed = log.changed();
        let refused = submit_refusing(&volume, 1, 900).fate;
        volume.committer.commit(clock.after(1)).unwrap();
        assert_eq!(refused.outcome(), Some(Err(Refusal::NoSpace)));
        assert!(log.marks().full);
        assert!(event_listener::Listener::wait_timeout(changed, Duration::ZERO).is_none());
    }
    disk.set_capacity(1 << 30);
    let stored = submit_refusing(&volume, 1, 900).fate;
    volume.committer.commit(clock.after(1)).unwrap();
    assert!(stored.outcome().unwrap().is_ok() && !log.marks().full);
}

#[test]
fn a_writer_that_ends_tells_those_in_the_refusing_queue_too() {
    let mut volume = open(Arc::new(SimDisk::new(1))).unwrap();
    let submitted = submit_refusing(&volume, 1, 10);
    volume.committer.close(Refusal::Closed);
    assert_eq!(submitted.seqs(), Some(Err(Refusal::Closed)));
}
