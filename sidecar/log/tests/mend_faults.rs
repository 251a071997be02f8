//! Mending on a disk that fails, lacks room, or does not read a sector: it is tried again, costs nobody
//! else, and writes nothing to a log that it could not mend.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are small")]

mod volume_support;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use lifeboat_log::sim::{Fault, SimDisk};
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{Fate, LogHandle};
use volume_support::image::Image;
use volume_support::mended::{RECORDS, judge, read_mending, with_records};
use volume_support::tap::{Tap, Tapped};
use volume_support::{Clock, Payload, dir, open, open_mending, read_all, submit};

#[test]
fn without_room_for_a_copy_it_is_mended_all_the_same_and_without_any_once_there_is_some() {
    let image = Image::of(RECORDS);
    let path = &image.segments[0];
    let payload = with_records(&image.contents(path))[1].start as u64 + 100;
    for has_reserve in [true, false] {
        let disk = image.disk.fork();
        disk.flip_bit(path, payload, 3).unwrap();
        let mut volume = open_mending(Arc::new(disk.clone())).unwrap();
        let (log, mut clock) = (volume.streams[0].log.clone(), Clock::new());
        let error = read_all(&log, 0).unwrap_err();
        // Nothing is left but what the reserve has, which is for the journal and the next start.
        disk.set_capacity(if has_reserve { disk.used() } else { 0 });
        log.damaged(&error);
        volume.committer.commit(clock.after(0)).unwrap();
        assert_eq!(log.marks().stopped.is_none(), has_reserve);
        disk.set_capacity(1 << 30);
        if !has_reserve {
            assert!(volume.committer.deadline().is_some(), "it tries again");
            volume.committer.commit(clock.after(5_000)).unwrap();
            assert!(log.marks().stopped.is_some(), "not at once");
            volume.committer.commit(clock.after(5_000)).unwrap();
            assert_eq!(log.marks().stopped, None, "without a word of anybody");
        }
        drop(volume);
        assert_eq!(judge(&image, &disk, 0).lost(), 1);
    }
}

/// A start that mends, each of its calls failing, once and for good; then it is tried again.
#[test]
fn a_mending_that_fails_can_be_tried_again() {
    let image = Image::of(RECORDS);
    let disk = image.disk.fork();
    let (middle, last) = (&image.segments[1], &image.segments[2]);
    disk.flip_bit(middle, 9, 1).unwrap();
    disk.flip_bit(last, with_records(&image.contents(last))[0].start as u64 + 99, 1).unwrap();
    let end = |disk: &SimDisk| {
        let mut volume = open_mending(Arc::new(disk.fork())).unwrap();
        read_mending(&mut volume, 0)
    };
    let expected = end(&disk);
    for (fault, persistent) in
        [(Fault::Eio, false), (Fault::Eio, true), (Fault::Enospc, false), (Fault::Enospc, true)]
    {
        for call in 1.. {
            let disk = disk.fork();
            disk.fail_at(call, fault, persistent);
            let opened = open_mending(Arc::new(disk.clone()));
            if disk.calls() < call {
                assert!(call > 100);
                break;
            }
            drop(opened);
            disk.heal();
            let found = end(&disk.kill());
            // A sector that could not be read when the damage was mended is lost with it.
            let reread = fault == Fault::Eio && found.lost() > expected.lost();
            assert!(found == expected || reread, "{fault:?} at call {call}: {found:?}");
        }
    }
}

/// A sector of one segment that the disk does not read, until the segment is made anew.
#[derive(Debug)]
struct Sick {
    path: PathBuf,
    bytes: Range<u64>,
    is_replaced: AtomicBool,
}

impl Tap for Sick {
    fn wrote(&self, path: &Path) {
        if path == self.path.with_extension("log.tmp") {
            self.is_replaced.store(true, Ordering::Relaxed);
        }
    }

    fn unreadable(&self, path: &Path) -> Range<u64> {
        let heals = path != self.path || self.is_replaced.load(Ordering::Relaxed);
        if heals { 0..0 } else { self.bytes.clone() }
    }
}

#[test]
fn an_unreadable_sector_is_damage_of_its_stream_and_keeps_no_other_from_opening() {
    let image = Image::of(RECORDS);
    for path in &image.segments {
        let len = image.contents(path).len() as u64;
        for at in [0, len - 1] {
            let sick = |disk: &SimDisk| {
                let bytes = at / 4096 * 4096..at / 4096 * 4096 + 4096;
                let is_replaced = AtomicBool::new(false);
                let tap = Sick { path: path.clone(), bytes, is_replaced };
                Arc::new(Tapped::new(disk.clone(), Arc::new(tap)))
            };
            // The user has it stopped, and then accepts the gap.
            let disk = image.disk.fork();
            let mut volume = open(sick(&disk)).unwrap();
            let (log, other) = (volume.streams[0].log.clone(), volume.streams[1].log.clone());
            assert!(log.marks().stopped.is_some(), "{}, {at}", path.display());
            assert_eq!(read_all(&other, 0).unwrap().len(), image.stored[1].len());
            let accepted = log.accept_gap();
            volume.committer.commit(Clock::new().after(0)).unwrap();
            assert!(accepted.outcome().unwrap().is_ok(), "{}, {at}", path.display());
            drop(volume);
            judge(&image, &disk, 0);
            // The user has it mended.
            let disk = image.disk.fork();
            drop(open_mending(sick(&disk)).unwrap());
            judge(&image, &disk, 0);
        }
    }
}

/// While it is mended a record comes in, and then the disk fails.
#[derive(Debug, Default)]
struct FailsMeanwhile(Mutex<Option<Arc<LogHandle>>>, Mutex<Option<Arc<Fate<u64>>>>);

impl Tap for FailsMeanwhile {
    fn look(&self) -> io::Result<()> {
        let Some(log) = self.0.lock().unwrap().take() else { return Ok(()) };
        let submitted = submit(&log, &[Payload::from(&b"waits"[..])]).unwrap();
        *self.1.lock().unwrap() = Some(submitted.fate);
        Err(io::Error::other("broken"))
    }
}

#[test]
fn what_waits_is_not_written_to_a_log_that_could_not_be_mended() {
    let image = Image::of(RECORDS);
    let disk = image.disk.fork();
    let place = with_records(&image.contents(&image.segments[0]))[1].start as u64 + 100;
    disk.flip_bit(&image.segments[0], place, 3).unwrap();
    let tap = Arc::new(FailsMeanwhile::default());
    let mut volume = open_mending(Arc::new(Tapped::new(disk.clone(), tap.clone()))).unwrap();
    let (log, mut clock) = (volume.streams[0].log.clone(), Clock::new());
    let segments = || disk.list(&dir().join("streams/wide")).unwrap();
    log.damaged(&read_all(&log, 0).unwrap_err());
    *tap.0.lock().unwrap() = Some(log.clone());
    volume.committer.commit(clock.after(1)).unwrap();
    assert!(log.marks().stopped.is_some());
    let (waiting, before) = (tap.1.lock().unwrap().take().unwrap(), segments());
    for _ in 0..3 {
        volume.committer.commit(clock.after(100)).unwrap();
        assert_eq!((waiting.outcome(), segments()), (None, before.clone()));
    }
    let accepted = log.accept_gap();
    volume.committer.commit(clock.after(1)).unwrap();
    assert!(accepted.outcome().unwrap().is_ok());
    volume.committer.commit(clock.after(1)).unwrap();
    assert_eq!(waiting.outcome(), Some(Ok(image.stored[0].len() as u64)));
}
