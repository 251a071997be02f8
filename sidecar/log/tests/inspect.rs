//! Looking at a data directory that nobody has open: nothing in it changes, every kind of damage is
//! named, and what can be read is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are small")]

mod volume_support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lifeboat_log::disk::Disk;
use lifeboat_log::inspect::{CheckOptions, DumpOptions, Dumped, Report, Severity, check, dump};
use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{LogError, ScrubOptions, Scrubber, Urgency, Volume, offline};
use volume_support::image::Image;
use volume_support::layout::batches;
use volume_support::{
    Clock, Payload, SEGMENT, dir, open, options, read_all, settle, streams, submit, within,
};

fn checked(disk: &SimDisk) -> Report {
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let (mut seen, mut of) = (0, 0);
    let report =
        check(&vfs, dir(), &CheckOptions::default(), &mut |read, total| (seen, of) = (read, total))
            .unwrap();
    assert_eq!((seen, report.bytes), (of, of), "all was read");
    report
}

/// Every file and its content.
fn files(disk: &SimDisk, dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in disk.list(dir).unwrap() {
        let path = dir.join(name);
        match disk.contents(&path) {
            Ok(content) => drop(found.insert(path, content)),
            Err(_) => found.extend(files(disk, &path)),
        }
    }
    found
}

fn dumped(disk: &SimDisk, options: &DumpOptions) -> (Vec<(u64, Payload)>, Vec<u64>) {
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let (mut records, mut missing) = (Vec::new(), Vec::new());
    dump(&vfs, dir(), options, &mut |item| {
        match item {
            Dumped::Record { stream, seq, time, payload } => {
                assert!(time > 0 && options.stream.as_deref().is_none_or(|it| it == stream));
                records.push((seq, Payload::from(&payload[..])));
            }
            Dumped::Missing { seqs, .. } => missing.extend(seqs),
        }
        Ok(())
    })
    .unwrap();
    (records, missing)
}

fn wide() -> DumpOptions {
    DumpOptions { stream: Some("wide".into()), dead_letters: false, seqs: 0..u64::MAX }
}

#[test]
fn a_whole_directory_is_clean_and_stays_as_it_was() {
    let image = Image::of(3);
    let before = files(&image.disk, dir());
    let report = checked(&image.disk);
    assert_eq!(report.findings, []);
    assert_eq!(report.records as usize, image.stored[0].len() + image.stored[1].len());
    let (records, missing) = dumped(&image.disk, &wide());
    let expected: Vec<_> = (0..).zip(image.stored[0].iter().cloned()).collect();
    assert!(records == expected && missing.is_empty());
    let some = DumpOptions { seqs: 5..30, ..wide() };
    assert!(dumped(&image.disk, &some).0 == expected[5..30]);
    assert!(files(&image.disk, dir()) == before, "nothing was touched");
}

#[test]
fn every_flipped_bit_is_damage_or_unused_and_the_rest_is_dumped() {
    let image = Image::of(3);
    let before = files(&image.disk, dir());
    let (mut damaged, mut clean) = (0, 0);
    for (path, content) in &before {
        let derived = path.extension().is_some_and(|end| end == "idx");
        let spare = path.ends_with("reserve") || path.ends_with("lock");
        if derived || spare {
            continue;
        }
        for at in (0..content.len()).step_by(3) {
            let disk = image.disk.fork();
            disk.flip_bit(path, at as u64, (at % 8) as u8).unwrap();
            let report = checked(&disk);
            if report.is_damaged() {
                damaged += 1;
            } else {
                clean += 1;
            }
            if path == &image.segments[0] {
                let (records, missing) = dumped(&disk, &wide());
                let salt = (80..88).contains(&at);
                let lost = image.stored[0].len() - records.len();
                assert!(salt || lost <= 3, "{lost} lost at {at}");
                assert!(salt || missing.len() <= lost);
                let told: u64 = report
                    .findings
                    .iter()
                    .flat_map(|it| &it.lost)
                    .map(|range| range.end - range.start)
                    .sum();
                assert_eq!(told as usize, lost, "the check says what the dump lacks, at {at}");
            }
        }
    }
    assert!(damaged > 6000, "{damaged}");
    assert!(clean < 7000, "space that is set aside: {clean}");
}

#[test]
fn an_unsynced_end_is_a_note_and_no_damage() {
    let image = Image::of(1);
    let path = &image.segments[2];
    let mut bytes = image.contents(path);
    let end = batches(&bytes).last().unwrap().end;
    bytes[end..end + 30].fill(7);
    let report = checked(&image.with(path, &bytes));
    assert!(!report.is_damaged());
    assert!(matches!(&report.findings[..], [one] if one.severity == Severity::Note));
}

#[test]
fn a_missing_segment_and_what_it_held_are_named() {
    let image = Image::of(1);
    let disk = image.disk.fork();
    disk.remove(&image.segments[1]).unwrap();
    let report = checked(&disk);
    assert!(report.findings.iter().any(|it| it.what.contains("missing")), "{report:?}");
    let (records, missing) = dumped(&disk, &wide());
    assert_eq!(records.len() + missing.len(), image.stored[0].len());
    assert!(missing.len() > 3);
}

#[test]
fn a_directory_that_is_open_is_left_alone() {
    let image = Image::of(1);
    let disk = image.disk.fork();
    let volume = open(Arc::new(disk.clone())).unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(disk);
    let refused = check(&vfs, dir(), &CheckOptions::default(), &mut |_, _| ()).unwrap_err();
    assert!(matches!(refused, LogError::Locked { .. }));
    let refused = dump(&vfs, dir(), &wide(), &mut |_| Ok(())).unwrap_err();
    assert!(matches!(refused, LogError::Locked { .. }));
    drop(volume);
    assert!(check(&vfs, dir(), &CheckOptions::default(), &mut |_, _| ()).is_ok());
}

/// Of another version is not damaged: it is refused by name, and nothing is touched.
#[test]
fn another_version_is_refused_before_anything_is_touched() {
    let image = Image::of(1);
    let names = image.disk.list(&dir().join("journal")).unwrap();
    let journal = |end: &str| {
        let name = names.iter().find(|name| name.ends_with(end)).unwrap();
        dir().join("journal").join(name)
    };
    let meta = |name: &str| dir().join(name);
    let crc = |bytes: &[u8], salted: bool| {
        let seed = if salted { crc32c::crc32c(&[0; 8]) } else { 0 };
        crc32c::crc32c_append(seed, bytes).to_le_bytes()
    };
    let cases = [
        (meta("volume.meta"), 8, 60, true),
        (meta("streams/wide/stream.meta"), 8, 60, true),
        (image.segments[0].clone(), 8, 96, true),
        (image.segments[2].clone(), 12, 96, true),
        (journal(".journal"), 8, 508, false),
        (journal(".snapshot"), 8, 508, false),
    ];
    for (path, field, sum_at, salted) in cases {
        let mut bytes = image.contents(&path);
        bytes[field] = 0x42;
        let sum = crc(&bytes[..sum_at], salted);
        bytes[sum_at..sum_at + 4].copy_from_slice(&sum);
        let disk = image.with(&path, &bytes);
        let before = files(&disk, dir());
        let refused = open(Arc::new(disk.clone())).unwrap_err();
        let LogError::Version { path: file, reason } = &refused else { panic!("{refused}") };
        assert_eq!(file, &path);
        assert!(reason.contains("this version reads"), "{reason}");
        assert!(reason.contains("66") || reason.contains("0x42"), "{reason}");
        assert!(files(&disk, dir()) == before, "{} was touched", path.display());
        let report = checked(&disk);
        assert!(report.findings.iter().any(|it| it.what.contains("this version reads")));
        let (records, _) = dumped(&disk, &wide());
        assert_eq!(records.len(), image.stored[0].len(), "what it knows it reads");
    }
}

#[test]
fn an_operator_accepts_a_gap_of_a_stream_that_nobody_runs() {
    let image = Image::of(3);
    let disk = image.disk.fork();
    let path = &image.segments[1];
    let middle = batches(&image.contents(path))[1].clone();
    disk.flip_bit(path, middle.start as u64 + 70, 0).unwrap();
    // A start stops before it comes there.
    disk.flip_bit(&image.segments[0], 9, 0).unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let accept = || offline::accept_gap(Arc::clone(&vfs), dir(), "wide", 1_700_000_000, 9).unwrap();
    let outcome = accept();
    assert_eq!((outcome.accepted.places, outcome.accepted.lost), (2, 3));
    assert_eq!(outcome.stopped, None);
    assert_eq!(accept().accepted.places, 0, "once");
    let log = open(Arc::new(disk.clone())).unwrap().streams[0].log.clone();
    assert_eq!(read_all(&log, 0).unwrap().len(), image.stored[0].len() - 3);
    let nobody = offline::accept_gap(vfs, dir(), "nobody", 0, 9).unwrap_err();
    assert!(matches!(nobody, LogError::Io { .. }));
    assert!(!disk.list(&dir().join("streams")).unwrap().contains(&"nobody".to_owned()));
}

/// Round after round.
const AT_ONCE: ScrubOptions =
    ScrubOptions { bytes_per_second: 1 << 30, first_after: Duration::ZERO, rest: Duration::ZERO };

#[test]
fn a_scrub_finds_damage_before_a_reader_does() {
    let image = Image::of(1);
    let disk = image.disk.fork();
    let mut volume = open(Arc::new(disk.clone())).unwrap();
    let logs = || volume.streams.iter().map(|stream| Arc::clone(&stream.log)).collect::<Vec<_>>();
    let scrubber = Scrubber::spawn(logs(), AT_ONCE).unwrap();
    within(|| scrubber.progress().rounds() > 2);
    assert!(scrubber.progress().bytes() > 0);
    assert!(logs().iter().all(|log| log.marks().damage.is_none()));
    disk.flip_bit(&image.segments[1], 5000, 3).unwrap();
    let log = volume.streams[0].log.clone();
    within(|| log.marks().damage.is_some());
    assert_eq!(log.marks().stopped, None, "no reader has met it");
    let fate = submit(&log, &[Payload::from(&b"more"[..])]).unwrap().fate;
    volume.committer.commit(Clock::new().after(0)).unwrap();
    assert!(fate.outcome().unwrap().is_ok());
    let accepted = log.accept_gap();
    volume.committer.commit(Clock::new().after(0)).unwrap();
    assert_eq!(accepted.outcome().unwrap().unwrap().lost, 1);
    let rounds = scrubber.progress().rounds();
    within(|| scrubber.progress().rounds() > rounds + 2);
    assert_eq!(log.marks().damage, None);
}

/// There is room for a seal in it, and nothing behind that.
#[test]
fn a_segment_that_is_full_and_not_closed_is_no_damage() {
    let disk = SimDisk::new(1);
    let mut volume = open(Arc::new(disk.clone())).unwrap();
    let log = volume.streams[0].log.clone();
    for len in [8, 3864] {
        submit(&log, &[Payload::from(vec![1; len])]).unwrap();
        volume.committer.commit(Clock::new().after(0)).unwrap();
    }
    let seal = 80;
    assert_eq!((log.data_bytes() + seal, log.marks().disk_bytes), (SEGMENT, SEGMENT));
    let scrubber = Scrubber::spawn(vec![Arc::clone(&log)], AT_ONCE).unwrap();
    within(|| scrubber.progress().rounds() > 2);
    assert_eq!(log.marks().damage, None);
}

/// What is deleted has its space on the disk for as long as somebody has it open.
#[test]
fn a_slow_scrub_keeps_no_deleted_segment_but_the_one_that_it_reads() {
    let home = tempfile::tempdir().unwrap();
    let mut volume =
        Volume::open(Arc::new(Disk::new()), home.path(), &options(), &streams()).unwrap();
    let (log, mut clock) = (volume.streams[0].log.clone(), Clock::new());
    for _ in 0..100 {
        submit(&log, &[Payload::from(vec![1; 2000])]).unwrap();
        volume.committer.commit(clock.after(1)).unwrap();
    }
    let slow = ScrubOptions {
        bytes_per_second: 1,
        first_after: Duration::ZERO,
        rest: Duration::from_secs(3600),
    };
    let scrubber = Scrubber::spawn(vec![Arc::clone(&log)], slow).unwrap();
    within(|| scrubber.progress().bytes() > 0);
    for delivery in 0..2 {
        settle(&volume, 0, delivery, 0..log.published_end(), Urgency::Now);
    }
    volume.committer.commit(clock.after(1)).unwrap();
    assert!(log.marks().log_start > 50);
    within(|| {
        let files = std::fs::read_dir("/proc/self/fd").unwrap();
        let files = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
        let mut ours = files.filter(|file| file.starts_with(home.path()));
        ours.by_ref().filter(|file| file.to_string_lossy().ends_with("(deleted)")).count() <= 1
    });
}

/// A slow scrub ends at once when it is told to.
#[test]
fn a_scrub_that_waits_can_be_stopped() {
    let image = Image::of(1);
    let volume = open(Arc::new(image.disk.fork())).unwrap();
    let options = ScrubOptions {
        bytes_per_second: 1,
        first_after: Duration::ZERO,
        rest: Duration::from_secs(3600),
    };
    let scrubber = Scrubber::spawn(vec![Arc::clone(&volume.streams[0].log)], options).unwrap();
    within(|| scrubber.progress().bytes() > 0);
    let began = std::time::Instant::now();
    drop(scrubber);
    assert!(began.elapsed() < Duration::from_secs(10));
}
