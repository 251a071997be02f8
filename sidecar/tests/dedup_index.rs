//! The index of ids on disk: whatever becomes of it, no message is stored twice and none is lost,
//! and however many ids there are, memory stays within its bounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::repeats::{Producer, id, refused, stored};
use support::{Home, Lifeboat, until, yaml};

const IN: &str = "{name: in, socket: ROUTER, protocol: Receipt, dedup: {window: 1h}}";
const OUT: &str = "{name: out, socket: PUSH}";
/// Several runs on disk at the least memory, and some ids in memory.
const IDS: u64 = 25_000;

fn home(memory: &str) -> Home {
    let yaml = yaml("1Gi", &[("work", IN, OUT)]);
    Home::new(&yaml.replace("  storage", &format!("  sidecar: {{memory: {memory}}}\n  storage")))
}

fn producer(lifeboat: &Lifeboat) -> Producer {
    Producer::new(lifeboat.endpoint("work.in"))
}

/// The index's directory, which must be there.
fn index(home: &Home) -> PathBuf {
    let entries = fs::read_dir(home.data().join("index/work")).unwrap();
    let mut dirs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    dirs.retain(|dir| dir.extension().is_none());
    dirs.sort();
    dirs.pop().expect("an index")
}

/// The store's files, the largest first.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().len()));
    files
}

/// Starts the queue, sends everything again, and asserts that nothing is stored. Returns how often
/// the index was set aside.
fn repeats_nothing(home: &Home, what: &str) -> u64 {
    let started = Instant::now();
    let lifeboat = home.start();
    assert_eq!(producer(&lifeboat).store(0..IDS), (0..IDS).collect::<Vec<_>>(), "{what}");
    let stream = home.stream("work");
    assert_eq!(stream.durable_end, IDS, "{what}");
    assert!(started.elapsed() < Duration::from_secs(120), "{what}: it hangs");
    let set_aside = stream.dedup.unwrap().set_aside;
    lifeboat.kill();
    set_aside
}

#[test]
fn whatever_becomes_of_the_index_nothing_is_stored_twice() {
    let home = home("32Mi");
    let lifeboat = home.start();
    assert_eq!(producer(&lifeboat).store(0..IDS), (0..IDS).collect::<Vec<_>>());
    until("runs are on disk", || home.data().join("index/work/000001").exists());
    lifeboat.kill();
    assert_eq!(repeats_nothing(&home, "as it was left"), 0);

    fs::remove_dir_all(index(&home)).unwrap();
    assert_eq!(repeats_nothing(&home, "deleted"), 0);

    fs::write(index(&home).join("snap.00000000000000FF.generating"), "half").unwrap();
    assert_eq!(repeats_nothing(&home, "an unfinished snapshot"), 0);

    let len = |file: &Path| file.metadata().unwrap().len();
    for part in [0, 1, 7, 512, 4096] {
        let file = files(&index(&home)).remove(0);
        let end = if part == 7 { len(&file) / 2 + 7 } else { part };
        fs::File::options().write(true).open(&file).unwrap().set_len(end).unwrap();
        repeats_nothing(&home, &format!("cut to {end}"));
    }
    for file in files(&index(&home)) {
        if len(&file) == 0 {
            continue;
        }
        let mut bytes = fs::read(&file).unwrap();
        let step = (bytes.len() / 40).max(1);
        bytes.iter_mut().step_by(step).for_each(|byte| *byte ^= 0x10);
        fs::write(&file, bytes).unwrap();
        repeats_nothing(&home, &format!("flipped bits in {}", file.display()));
        break;
    }
    let dir = index(&home);
    for file in files(&dir) {
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
    }
    assert!(repeats_nothing(&home, "directories for files") > 0);

    fs::remove_dir_all(home.data().join("index")).unwrap();
    fs::write(home.data().join("index"), "garbage").unwrap();
    repeats_nothing(&home, "a file for a directory");
}

#[test]
fn kills_while_runs_are_written_lose_and_repeat_nothing() {
    const STEP: u64 = 7_000;
    let home = home("32Mi");
    for round in 0..6 {
        let lifeboat = home.start();
        let producer = producer(&lifeboat);
        let known = round * STEP;
        let again = known.saturating_sub(2 * STEP)..known + STEP;
        assert_eq!(producer.store(again.clone()), again.collect::<Vec<_>>(), "{round}");
        lifeboat.kill();
    }
    let lifeboat = home.start();
    assert_eq!(producer(&lifeboat).store(0..6 * STEP), (0..6 * STEP).collect::<Vec<_>>());
    assert_eq!(home.stream("work").durable_end, 6 * STEP);
    assert_eq!(home.stream("work").dedup.unwrap().set_aside, 0);
}

#[test]
fn an_index_of_another_time_is_not_believed() {
    let home = home("32Mi");
    let lifeboat = home.start();
    producer(&lifeboat).store(0..12_000);
    until("a run is on disk", || home.data().join("index/work/000001").exists());
    lifeboat.kill();
    // What the store holds belongs to copies that the log does not have.
    fs::remove_dir_all(home.data().join("streams")).unwrap();
    fs::remove_dir_all(home.data().join("journal")).unwrap();
    fs::remove_file(home.data().join("volume.meta")).unwrap();
    let lifeboat = home.start();
    let producer = producer(&lifeboat);
    assert_eq!(producer.store(0..200), (0..200).collect::<Vec<_>>(), "of another volume");
    assert_eq!(home.stream("work").dedup.unwrap().set_aside, 1);
}

#[test]
fn a_million_ids_fit_the_memory() {
    const MANY: u64 = 1_000_000;
    let home = home("96Mi");
    let lifeboat = home.start();
    let producer = producer(&lifeboat);
    producer.store(0..MANY);
    until("all are remembered", || home.stream("work").dedup.unwrap().ids >= MANY);
    // Look-ups on disk, all over it.
    for number in (0..MANY).step_by(997) {
        assert_eq!(producer.store(number..number + 3), (number..number + 3).collect::<Vec<_>>());
    }
    let stream = home.stream("work");
    assert_eq!(stream.durable_end, MANY);
    let peak = lifeboat.peak_memory() >> 20;
    assert!(peak < 96, "{peak} MiB");
    lifeboat.kill();
    for (what, dir) in [("from runs", "elsewhere"), ("from copies", "index")] {
        let _ = fs::remove_dir_all(home.data().join(dir));
        let lifeboat = home.start();
        let started = Instant::now();
        assert_eq!(Producer::new(lifeboat.endpoint("work.in")).store(0..1), [0]);
        println!("peak {peak} MiB; first answer after a start {what}: {:?}", started.elapsed());
        let peak = lifeboat.peak_memory() >> 20;
        assert!(peak < 96, "{peak} MiB while ids are gathered {what}");
    }
}

#[test]
fn more_ids_than_fit_hold_producers_until_the_oldest_are_forgotten() {
    const MANY: u64 = 150_000;
    let ingress = IN.replace("1h", "1s");
    let home = Home::sized("64Mi", &ingress, OUT);
    let lifeboat = home.start();
    assert_eq!(producer(&lifeboat).store(0..MANY), (0..MANY).collect::<Vec<_>>());
    until("the oldest are forgotten", || home.stream("work").dedup.unwrap().ids == 0);
}

#[test]
fn without_the_copies_of_ids_nobody_can_tell_and_says_so() {
    let home = Home::sized("64Mi", IN, OUT);
    let lifeboat = home.start();
    producer(&lifeboat).store(0..2_500);
    let ids = home.data().join("streams/work/ids");
    until("ids are copied", || fs::read_dir(&ids).unwrap().count() > 0);
    assert!(lifeboat.stop().success());
    drop(home.start());
    let segment = ids.join("00000000000000000000.log");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[30] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let lifeboat = home.start();
    let producer = producer(&lifeboat);
    until("it is noticed", || producer.ask(&id(1), b"x") == refused("503"));
    assert_eq!(producer.ask(b"no id", b"x"), stored(2_500));
}
