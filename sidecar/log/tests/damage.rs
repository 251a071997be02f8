//! Damage on disk, everywhere: bits flipped, files cut, pages zeroed and swapped, files missing.
//! It is noticed or it is harmless: no wrong payload, no panic, no record gone in silence, and the
//! other stream of the volume is served on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are small")]

mod volume_support;

use std::ops::Range;
use std::sync::Arc;

use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{LogError, Read, StreamOptions, Urgency, Volume};
use volume_support::image::{Image, Verdict, read, tally};
use volume_support::layout::{BATCH_HEADER, SEGMENT_HEADER, batches};
use volume_support::{Clock, Payload, dir, open, options, settle, stream, submit};

fn each_byte_flipped(segment: usize) -> (usize, usize) {
    let image = Image::new();
    let path = &image.segments[segment];
    tally((0..image.contents(path).len()).map(|at| {
        let disk = image.disk.fork();
        disk.flip_bit(path, at as u64, (at % 8) as u8).unwrap();
        image.judge(&disk, 0)
    }))
}

#[test]
fn a_flipped_bit_in_a_sealed_segment() {
    let (noticed, harmless) = each_byte_flipped(0);
    assert!(noticed > 6000, "{noticed}");
    assert!(harmless < 60, "only padding: {harmless}");
}

#[test]
fn a_flipped_bit_in_the_active_segment() {
    let image = Image::new();
    let used = batches(&image.contents(&image.segments[2])).last().unwrap().end;
    let (noticed, harmless) = each_byte_flipped(2);
    let unused = image.contents(&image.segments[2]).len() - used;
    // The last marker is a witness and not a record: without it nothing is missing.
    assert!(noticed > used - 64 - 60, "{noticed} of {used}");
    assert!((unused..unused + 64 + 60).contains(&harmless), "{harmless}, {unused} of them unused");
}

#[test]
fn every_bit_of_a_streams_identity() {
    let image = Image::new();
    let path = dir().join("streams/wide/stream.meta");
    for bit in 0..image.contents(&path).len() * 8 {
        let disk = image.disk.fork();
        disk.flip_bit(&path, bit as u64 / 8, (bit % 8) as u8).unwrap();
        assert_eq!(image.judge(&disk, 0), Verdict::Noticed, "bit {bit}");
    }
}

#[test]
fn a_stream_that_does_not_know_who_it_is_is_stopped_and_left_alone() {
    let image = Image::new();
    let meta = dir().join("streams/wide/stream.meta");
    let before = image.contents(&meta);
    for len in (0..before.len()).chain([before.len() + 1]) {
        let mut cut = before.clone();
        cut.resize(len, 7);
        let disk = image.with(&meta, &cut);
        assert_eq!(image.judge(&disk, 0), Verdict::Noticed, "{len} bytes");
        disk.set_contents(&meta, &before).unwrap();
        let volume = open(Arc::new(disk)).unwrap();
        let log = &volume.streams[0].log;
        assert_eq!(read(log, &image.stored[0]), Verdict::Harmless, "nothing else was touched");
        assert_eq!(log.published_end(), image.stored[0].len() as u64);
    }
    let disk = image.disk.fork();
    disk.remove(&meta).unwrap();
    assert_eq!(image.judge(&disk, 0), Verdict::Noticed);
    let volume = open(Arc::new(disk)).unwrap();
    let names: Vec<_> =
        volume.streams[0].deliveries.iter().map(|(_, state)| state.name.as_str()).collect();
    assert_eq!(names, ["first", "second"], "its deliveries are there, and idle");
}

#[test]
fn every_bit_and_every_length_of_the_volumes_identity() {
    let image = Image::new();
    let path = dir().join("volume.meta");
    let before = image.contents(&path);
    let flipped = (0..before.len() * 8).map(|bit| {
        let mut bytes = before.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    let cut = (0..before.len()).map(|len| before[..len].to_vec());
    let longer = std::iter::once([&before[..], &[0]].concat());
    for bytes in flipped.chain(cut).chain(longer) {
        let disk = image.with(&path, &bytes);
        let refused = open(Arc::new(disk)).unwrap_err();
        assert!(matches!(refused, LogError::Corrupt { .. }), "{refused}");
    }
    let disk = image.disk.fork();
    disk.remove(&path).unwrap();
    assert!(matches!(open(Arc::new(disk)), Err(LogError::Corrupt { .. })));
}

#[test]
fn segments_cut_at_each_length() {
    let image = Image::new();
    for path in [&image.segments[0], &image.segments[2]] {
        let before = image.contents(path);
        for len in 0..before.len() {
            let verdict = image.judge(&image.with(path, &before[..len]), 0);
            assert_eq!(verdict, Verdict::Noticed, "{} cut to {len}", path.display());
        }
    }
}

#[test]
fn an_index_is_never_believed() {
    let image = Image::new();
    let path = image.segments[0].with_extension("idx");
    let before = image.contents(&path);
    for at in 0..before.len() {
        let disk = image.disk.fork();
        disk.flip_bit(&path, at as u64, 0).unwrap();
        assert_eq!(image.judge(&disk, 0), Verdict::Harmless);
        assert_eq!(image.judge(&image.with(&path, &before[..at]), 0), Verdict::Harmless);
    }
    assert_eq!(image.judge(&image.with(&path, &vec![0; before.len()]), 0), Verdict::Harmless);
    let disk = image.disk.fork();
    disk.remove(&path).unwrap();
    assert_eq!(image.judge(&disk, 0), Verdict::Harmless);
}

#[test]
fn a_missing_segment_is_noticed() {
    let image = Image::new();
    for missing in 0..2 {
        let disk = image.disk.fork();
        disk.remove(&image.segments[missing]).unwrap();
        let volume = open(Arc::new(disk.clone())).unwrap();
        let why = volume.streams[0].log.marks().stopped.unwrap();
        assert!(why.contains(&format!("segment number {missing}")), "{why}");
        drop(volume);
        assert_eq!(image.judge(&disk, 0), Verdict::Noticed);
    }
    // The newest one is missed if anything of it was settled.
    let last = image.stored[0].len() as u64 - 1;
    let mut volume = open(Arc::new(image.disk.clone())).unwrap();
    settle(&volume, 0, 0, last..last + 1, Urgency::Now);
    volume.committer.commit(Clock::new().after(0)).unwrap();
    let disk = image.disk.kill();
    disk.remove(&image.segments[2]).unwrap();
    assert_eq!(image.judge(&disk, 0), Verdict::Noticed);
}

#[test]
fn segments_in_each_others_place_are_noticed() {
    let image = Image::new();
    let foreign = dir().join("streams/tight/00000000000000000000.log");
    let (first, second) = (&image.segments[0], &image.segments[1]);
    for (into, from) in [(first, second), (second, first), (first, &foreign)] {
        let disk = image.with(into, &image.contents(from));
        assert_eq!(image.judge(&disk, 0), Verdict::Noticed);
    }
}

/// How many records have nothing left that tells of them when this is gone: their batches and all
/// behind them. They look as if they had never reached the disk.
fn without_witness(segment: &[u8], gone: &Range<usize>) -> usize {
    let from_the_end = batches(segment).into_iter().rev();
    from_the_end.take_while(|batch| overlap(batch, gone)).filter(|batch| !is_marker(batch)).count()
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

fn is_marker(batch: &Range<usize>) -> bool {
    batch.len() == BATCH_HEADER
}

/// Segments and parts of them of the size of a disk's or a cache's page.
fn pages(image: &Image) -> Vec<(usize, Range<usize>)> {
    let mut pages = Vec::new();
    for (segment, path) in image.segments.iter().enumerate() {
        let len = image.contents(path).len();
        for size in [512, 4096] {
            let starts = (0..len).step_by(size);
            pages.extend(starts.map(|start| (segment, start..len.min(start + size))));
        }
    }
    pages
}

#[test]
fn zeroed_pages() {
    let image = Image::new();
    let (mut must, mut may) = (0, 0);
    for (segment, page) in pages(&image) {
        let before = image.contents(&image.segments[segment]);
        let mut bytes = before.clone();
        bytes[page.clone()].fill(0);
        // A sealed segment always has a witness: its length.
        let lost = if segment == 2 { without_witness(&before, &page) } else { 0 };
        let disk = image.with(&image.segments[segment], &bytes);
        let verdict = image.judge_but(&disk, 0, lost);
        let matters = page.start < SEGMENT_HEADER
            || batches(&before).iter().any(|batch| !is_marker(batch) && overlap(batch, &page));
        if bytes != before && matters && lost == 0 {
            assert_eq!(verdict, Verdict::Noticed, "segment {segment}, {page:?}");
            must += 1;
        } else {
            may += 1;
        }
    }
    assert!(must > 20 && may < 40, "{must}, {may}");
}

#[test]
fn pages_in_each_others_place() {
    let image = Image::new();
    for (segment, page) in pages(&image) {
        let before = image.contents(&image.segments[segment]);
        let other = page.end..page.end + page.len();
        if other.end > before.len() {
            continue;
        }
        let bytes = [
            &before[..page.start],
            &before[other.clone()],
            &before[page.clone()],
            &before[other.end..],
        ];
        let lost =
            if segment == 2 { without_witness(&before, &(page.start..other.end)) } else { 0 };
        image.judge_but(&image.with(&image.segments[segment], &bytes.concat()), 0, lost);
    }
}

/// Batches that a reader comes to by the index, and not from the one before.
#[test]
fn a_batch_in_the_place_of_an_indexed_one_is_noticed() {
    const BATCH: usize = 4096;
    let large = [StreamOptions { segment_bytes: 160 << 10, ..stream("large", 1 << 20, &["only"]) }];
    let disk = SimDisk::new(1);
    disk.create_dir(dir()).unwrap();
    let open = || Volume::open(Arc::new(disk.clone()), dir(), &options(), &large).unwrap();
    let mut volume = open();
    let payload = Payload::from(vec![1; BATCH - BATCH_HEADER - 8]);
    for _ in 0..50 {
        submit(&volume.streams[0].log, &[Payload::clone(&payload)]).unwrap();
        volume.committer.commit(Clock::new().after(0)).unwrap();
    }
    drop(volume);
    let segment = dir().join("streams/large/00000000000000000000.log");
    let mut bytes = disk.contents(&segment).unwrap();
    // At most one index entry for 64 KiB: the second one is of batch 16.
    let (indexed, other) = (SEGMENT_HEADER + 16 * BATCH, SEGMENT_HEADER + 20 * BATCH);
    let (left, right) = bytes.split_at_mut(other);
    left[indexed..indexed + BATCH].swap_with_slice(&mut right[..BATCH]);
    disk.set_contents(&segment, &bytes).unwrap();
    let log = open().streams[0].log.clone();
    for seq in [15, 21] {
        let read = log.reader().read(seq);
        assert!(matches!(read, Ok(Read::Batch(batch)) if batch.first_seq == seq) == (seq == 15));
    }
    let read = log.reader().read(16);
    assert!(matches!(read, Err(LogError::Corrupt { .. })), "{read:?}");
}
