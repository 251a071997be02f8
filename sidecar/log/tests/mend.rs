//! Damage under `onDamage: SkipWithGap`: the log goes on, what can be read is kept, and what cannot
//! is on record as a gap. However often it is interrupted, it ends in the same state.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are small")]

mod volume_support;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{Holes, LogHandle, Read, Refusal, Urgency};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use volume_support::image::Image;
use volume_support::layout::{SEGMENT_HEADER, batches};
use volume_support::mended::{RECORDS, judge, read_mending, with_records};
use volume_support::tap::{NeverReaps, Tapped};
use volume_support::{Clock, Payload, dir, open, open_mending, read_all, settle, streams, submit};

/// Damage is found in a segment that every delivery has settled, and by one that reads on, again.
#[test]
fn what_is_deleted_is_no_damage_any_more() {
    for mending in [false, true] {
        let image = Image::of(1);
        image.disk.flip_bit(&image.segments[0], 5000, 3).unwrap();
        let vfs = Arc::new(Tapped::new(image.disk.clone(), Arc::new(NeverReaps)));
        let mut volume = if mending { open_mending(vfs) } else { open(vfs) }.unwrap();
        let (log, mut clock) = (volume.streams[0].log.clone(), Clock::new());
        let error = read_all(&log, 0).unwrap_err();
        log.found_damage(&error);
        assert!(log.marks().damage.is_some());
        for delivery in 0..2 {
            settle(&volume, 0, delivery, 0..log.published_end(), Urgency::Now);
        }
        volume.committer.commit(clock.after(0)).unwrap();
        let nothing_wrong = |when| {
            let marks = log.marks();
            assert!(marks.log_start > 0, "{marks:?}");
            assert_eq!((marks.damage, marks.stopped), (None, None), "{when}, mending: {mending}");
        };
        nothing_wrong("at once");
        // A reader and the scrub that were at it meanwhile.
        log.damaged(&error);
        nothing_wrong("met late");
        log.found_damage(&error);
        volume.committer.commit(clock.after(0)).unwrap();
        nothing_wrong("afterwards");
    }
}

#[test]
fn the_first_record_since_a_time_is_found_beside_a_segment_of_which_nothing_is_left() {
    let image = Image::of(RECORDS);
    for lost in 0..image.segments.len() {
        let path = &image.segments[lost];
        let disk = image.with(path, &vec![0; image.contents(path).len()]);
        let mut volume = open_mending(Arc::new(disk)).unwrap();
        let found = read_mending(&mut volume, 0);
        let log = volume.streams[0].log.clone();
        let (mut reader, mut last, mut times) = (log.reader(), 0, 0);
        for (seq, _) in found.records {
            let Read::Batch(batch) = reader.read(seq).unwrap() else { panic!("{seq} is there") };
            if batch.time > last {
                assert_eq!(log.first_since(batch.time).unwrap().seq, seq, "without {lost}");
                (last, times) = (batch.time, times + 1);
            }
        }
        assert!(times > 5, "{times}");
    }
}

#[test]
fn a_flipped_bit_costs_a_record_or_a_batch_and_nothing_else() {
    let image = Image::of(RECORDS);
    let (mut nothing, mut one, mut batch, mut all) = (0, 0, 0, 0);
    for segment in [0, 2] {
        let path = &image.segments[segment];
        let before = image.contents(path);
        let used = batches(&before).last().unwrap().end;
        for at in 0..used {
            let disk = image.disk.fork();
            disk.flip_bit(path, at as u64, (at % 8) as u8).unwrap();
            let found = judge(&image, &disk, if segment == 2 { 3 } else { 0 });
            match found.lost() {
                0 => nothing += 1,
                1 => one += 1,
                2..=3 => batch += 1,
                _ if (80..88).contains(&at) => all += 1,
                lost => panic!("{lost} records for byte {at} of segment {segment}"),
            }
        }
    }
    assert!(nothing > 8000, "all of the header but the salt: {nothing}");
    assert!(one > 4500, "payloads: {one}");
    assert!(batch > 500, "batch headers and tables: {batch}");
    assert_eq!(all, 8, "a salt; of the last segment nobody knows how much it held");
}

#[test]
fn segments_cut_at_any_length() {
    let image = Image::of(RECORDS);
    for (segment, path) in image.segments.iter().enumerate() {
        let before = image.contents(path);
        for len in (0..before.len()).step_by(13) {
            let found = judge(&image, &image.with(path, &before[..len]), 0);
            if segment == 2 {
                let stored = image.stored[0].len() as u64;
                assert!(found.end == stored || found.end >= 1 << 32, "{len}: {found:?}");
            } else {
                assert_eq!(found.end, image.stored[0].len() as u64);
            }
        }
    }
}

#[test]
fn pages_that_are_zeroed_doubled_or_swapped() {
    let image = Image::of(RECORDS);
    for path in &image.segments {
        let before = image.contents(path);
        for size in [512, 4096] {
            let starts: Vec<usize> = (0..before.len() - size).step_by(size).collect();
            for &start in &starts {
                let page = start..start + size;
                let mut zeroed = before.clone();
                zeroed[page.clone()].fill(0);
                judge(&image, &image.with(path, &zeroed), image.stored[0].len());
                let next = page.end..(page.end + size).min(before.len());
                if next.len() == size {
                    let mut doubled = before.clone();
                    doubled.copy_within(page.clone(), next.start);
                    judge(&image, &image.with(path, &doubled), image.stored[0].len());
                    let mut swapped = before.clone();
                    let (left, right) = swapped.split_at_mut(next.start);
                    left[page].swap_with_slice(&mut right[..size]);
                    judge(&image, &image.with(path, &swapped), image.stored[0].len());
                }
            }
        }
    }
}

#[test]
fn batches_in_each_others_place_are_all_found() {
    let image = Image::of(1);
    let path = &image.segments[0];
    let before = image.contents(path);
    let found = batches(&before);
    let [.., first, second, _seal] = &found[..] else { panic!("{found:?}") };
    let swapped = [
        &before[..first.start],
        &before[second.clone()],
        &before[first.clone()],
        &before[second.end..],
    ];
    let judged = judge(&image, &image.with(path, &swapped.concat()), 0);
    assert_eq!(judged.lost(), 0);
}

#[test]
fn missing_segments_are_gaps() {
    let image = Image::of(RECORDS);
    let bases: Vec<u64> = image.segments.iter().map(|path| base(path)).collect();
    for missing in [0..1, 1..2, 0..2] {
        let disk = image.disk.fork();
        image.segments[missing.clone()].iter().for_each(|path| disk.remove(path).unwrap());
        let found = judge(&image, &disk, 0);
        let gone = bases[missing.start]..bases[missing.end];
        assert_eq!(found.holes.gaps.iter().collect::<Vec<_>>(), unsettled(gone));
    }
    // The newest is missed for what of it was settled. How much more it held nobody knows.
    let last = image.stored[0].len() as u64 - 2;
    let mut volume = open(Arc::new(image.disk.fork())).unwrap();
    settle(&volume, 0, 0, last..last + 1, Urgency::Now);
    volume.committer.commit(Clock::new().after(0)).unwrap();
    let disk = image.disk.fork();
    let mut volume = open(Arc::new(disk.clone())).unwrap();
    settle(&volume, 0, 0, last..last + 1, Urgency::Now);
    volume.committer.commit(Clock::new().after(0)).unwrap();
    drop(volume);
    disk.remove(&image.segments[2]).unwrap();
    let found = judge(&image, &disk, 1);
    assert_eq!(found.holes.gaps.last(), Some(bases[2]..last + 1));
    assert_eq!(found.end, last + 1 + (1 << 32), "no seq is given out twice");
}

/// What is not settled of a range; the image has record 3 settled by one delivery alone.
fn unsettled(range: Range<u64>) -> Vec<Range<u64>> {
    vec![range]
}

fn base(path: &Path) -> u64 {
    path.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

#[test]
fn what_every_delivery_has_settled_is_no_loss() {
    let image = Image::of(RECORDS);
    let disk = image.disk.fork();
    let mut volume = open(Arc::new(disk.clone())).unwrap();
    for delivery in 0..2 {
        settle(&volume, 0, delivery, 0..5, Urgency::Now);
    }
    volume.committer.commit(Clock::new().after(0)).unwrap();
    drop(volume);
    let path = &image.segments[0];
    let bytes = disk.contents(path).unwrap();
    for batch in &with_records(&bytes)[..2] {
        disk.flip_bit(path, batch.start as u64, 0).unwrap();
    }
    let found = judge(&image, &disk, 0);
    assert!(!found.holes.gaps.contains(4) && found.holes.gaps.contains(5), "{found:?}");
}

#[test]
fn dead_letters_are_mended_too() {
    let image = Image::of(1);
    let disk = image.disk.fork();
    let mut volume = open(Arc::new(disk.clone())).unwrap();
    let mut clock = Clock::new();
    for number in 0..3u8 {
        submit(&volume.streams[0].dead_letters, &[Payload::from(vec![number; 100])]).unwrap();
        volume.committer.commit(clock.after(1)).unwrap();
    }
    volume.committer.commit(clock.after(10)).unwrap();
    drop(volume);
    let path = dir().join("streams/wide/dead-letters/00000000000000000000.log");
    disk.flip_bit(&path, SEGMENT_HEADER as u64 + 80, 1).unwrap();
    let volume = open_mending(Arc::new(disk)).unwrap();
    let log = &volume.streams[0].dead_letters;
    let seqs: Vec<_> = read_all(log, 0).unwrap().into_iter().map(|(seq, _)| seq).collect();
    assert_eq!((seqs, log.holes().gaps.first()), (vec![1, 2], Some(0..1)));
    assert_eq!(log.marks().stopped, None);
}

/// The damage is copied, and the copy and the audit file say where it was.
#[test]
fn the_damage_is_kept_for_those_who_want_to_know() {
    let image = Image::of(RECORDS);
    let path = &image.segments[0];
    let damaged = with_records(&image.contents(path))[1].clone();
    let disk = image.disk.fork();
    disk.flip_bit(path, damaged.start as u64 + 70, 3).unwrap();
    let bytes = disk.contents(path).unwrap();
    judge(&image, &disk, 0);
    let stream = dir().join("streams/wide");
    let name = format!("00000000000000000000.log.{}", damaged.start);
    assert_eq!(disk.list(&stream.join("quarantine")).unwrap(), [name.as_str()]);
    let copy = disk.contents(&stream.join("quarantine").join(name)).unwrap();
    assert!(bytes[damaged].starts_with(&copy) && copy.len() > 200);
    let audit = String::from_utf8(disk.contents(&stream.join("audit.log")).unwrap()).unwrap();
    assert_eq!(audit.lines().count(), 1, "{audit}");
    assert!(audit.contains("SkipWithGap") && audit.contains("lost: 3-5;"), "{audit}");
}

/// The disk before each call of a run that mends, and one level deeper after each of them.
fn each_interruption(disk: &SimDisk, mut each: impl FnMut(&SimDisk)) -> usize {
    let run = |disk: &SimDisk| {
        let recorded = disk.fork();
        recorded.record();
        let mut volume = open_mending(Arc::new(recorded.clone())).unwrap();
        read_mending(&mut volume, 0);
        recorded.recorded()
    };
    let (mut rng, mut count) = (SmallRng::seed_from_u64(1), 0);
    for moment in run(disk) {
        let mut interrupted = if rng.random() { moment.power_cut(&mut rng) } else { moment.kill() };
        for _ in 0..3 {
            each(&interrupted);
            count += 1;
            let deeper = run(&interrupted);
            let moment = &deeper[rng.random_range(0..deeper.len())];
            interrupted = if rng.random() { moment.power_cut(&mut rng) } else { moment.kill() };
        }
    }
    count
}

#[test]
fn whatever_interrupts_it_it_ends_in_the_same_state() {
    let image = Image::of(RECORDS);
    let contents = |segment: usize| image.contents(&image.segments[segment]);
    let flip = |segment: usize, at: usize| {
        let disk = image.disk.fork();
        disk.flip_bit(&image.segments[segment], at as u64, 1).unwrap();
        disk
    };
    let without = |segment: usize| {
        let disk = image.disk.fork();
        disk.remove(&image.segments[segment]).unwrap();
        disk.sync_dir(&dir().join("streams/wide")).unwrap();
        disk
    };
    let cut = image.with(&image.segments[2], &contents(2)[..6000]);
    let cases = [
        flip(0, batches(&contents(0))[2].start + 66),
        flip(1, 9),
        flip(2, batches(&contents(2))[0].start + 9),
        without(1),
        cut,
    ];
    for disk in cases {
        let end = |disk: &SimDisk| {
            let mut volume = open_mending(Arc::new(disk.fork())).unwrap();
            read_mending(&mut volume, 0)
        };
        let expected = end(&disk);
        let count = each_interruption(&disk, |interrupted| assert_eq!(end(interrupted), expected));
        assert!(count > 100, "{count}");
    }
}

/// Rot of the journal costs redeliveries, never a record.
#[test]
fn a_flipped_bit_in_the_journal_takes_no_record() {
    let image = Image::of(1);
    let journal = dir().join("journal");
    for name in image.disk.list(&journal).unwrap() {
        let path = journal.join(name);
        for at in 0..image.contents(&path).len() {
            for open in [open, open_mending] {
                let disk = image.disk.fork();
                disk.flip_bit(&path, at as u64, (at % 8) as u8).unwrap();
                let mut volume = open(Arc::new(disk)).unwrap();
                let found = read_mending(&mut volume, 0);
                assert_eq!(found.records.len(), image.stored[0].len(), "byte {at}");
                assert_eq!(found.holes, Holes::default());
            }
        }
    }
}

#[test]
fn a_stopped_stream_goes_on_when_an_operator_says_so() {
    let image = Image::of(RECORDS);
    let path = &image.segments[0];
    let disk = image.disk.fork();
    let header = image.contents(path);
    disk.set_contents(path, &[&[0; 8], &header[8..]].concat()).unwrap();
    let mut volume = open(Arc::new(disk.clone())).unwrap();
    let log = volume.streams[0].log.clone();
    assert!(log.marks().stopped.is_some());
    assert!(submit(&log, &[Payload::from(&b"x"[..])]).is_err());
    let changed = log.mended();
    let fate = log.accept_gap();
    volume.committer.commit(Clock::new().after(0)).unwrap();
    event_listener::Listener::wait(changed);
    let accepted = fate.outcome().unwrap().unwrap();
    assert_eq!((accepted.lost, accepted.places), (0, 1));
    assert_eq!(log.marks().stopped, None);
    let stored = image.stored[0].len() as u64;
    assert_eq!(read_all(&log, 0).unwrap().len() as u64, stored);
    let fate = submit(&log, &[Payload::from(&b"x"[..])]).unwrap().fate;
    volume.committer.commit(Clock::new().after(0)).unwrap();
    assert_eq!(fate.outcome(), Some(Ok(stored)));
    let audit = disk.contents(&dir().join("streams/wide/audit.log")).unwrap();
    assert!(String::from_utf8(audit).unwrap().contains("accept-gap"));
}

/// A damaged record of the segment that is being written.
#[test]
fn the_active_segment_is_mended_while_producers_go_on() {
    let image = Image::of(RECORDS);
    let disk = image.disk.fork();
    let mut volume = open_mending(Arc::new(disk.clone())).unwrap();
    let log: Arc<LogHandle> = volume.streams[0].log.clone();
    let (mut clock, first) = (Clock::new(), log.published_end());
    for number in 0..4u8 {
        submit(&log, &[Payload::from(vec![number; 1500])]).unwrap();
        volume.committer.commit(clock.after(1)).unwrap();
    }
    let active = dir().join(format!("streams/wide/{first:020}.log"));
    disk.flip_bit(&active, SEGMENT_HEADER as u64 + 80, 0).unwrap();
    let waiting = submit(&log, &[Payload::from(&b"waits"[..])]).unwrap().fate;
    let error = log.reader().read(first).unwrap_err();
    assert!(log.damaged(&error), "news");
    let changed = log.changed();
    assert!(!log.damaged(&error), "known");
    let woken = event_listener::Listener::wait_timeout(changed, Duration::ZERO).is_some();
    assert!(!woken, "a reader would meet it again, and again");
    volume.committer.commit(clock.after(1)).unwrap();
    assert_eq!(waiting.outcome(), Some(Ok(first + 4)));
    assert_eq!(log.holes().gaps.first(), Some(first..first + 1));
    let found = read_all(&log, first).unwrap();
    assert_eq!(found.iter().map(|(seq, _)| seq - first).collect::<Vec<_>>(), [1, 2, 3, 4]);
    volume.committer.close(Refusal::Closed);
    assert_eq!(
        log.accept_gap().outcome(),
        Some(Err(Refusal::Closed)),
        "there is nobody left to follow it"
    );
    drop(volume);
    assert_eq!(read_all(&open(Arc::new(disk)).unwrap().streams[0].log, first).unwrap(), found);
    assert_eq!(streams().len(), 2);
}
