//! Damage under a running queue: what it costs, what the operator sees, and how a stream goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use lifeboat_sidecar::reload::watch::hash;
use lifeboat_sidecar::status::{StreamState, StreamStatus};
use rustix::process::Signal;
use support::credit::{App, Heard};
use support::{Home, Outcome, lifeboat, until};

const SENT: u64 = 300;
const SIZE: u64 = 100;
/// What a record of this size takes on the wire.
const WIRE: u64 = SIZE + 2;

fn home(on_damage: &str, delivery: &str) -> Home {
    Home::new(&yaml(on_damage, &format!("{{name: out, {delivery}}}")))
}

fn yaml(on_damage: &str, deliveries: &str) -> String {
    format!(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: PersistentQueue\nmetadata: {{name: q}}\n\
         spec:\n  storage: {{size: 64Mi}}\n  streams:\n    - name: work\n      \
         ingress: [{{name: in, socket: ROUTER, protocol: Receipt}}, {{name: push, socket: PULL}}]\n      \
         deliveries: [{deliveries}]\n      retention: {{onDamage: {on_damage}}}\n"
    )
}

const CREDIT: &str = "socket: ROUTER, protocol: Credit";
const PUSH: &str = "socket: PUSH";

impl Outcome {
    #[track_caller]
    fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

fn run(home: &Home, arguments: &[&str]) -> Outcome {
    let data = home.data();
    lifeboat(&[arguments, &["--data", data.to_str().unwrap()]].concat(), "")
}

fn on_directory(home: &Home, arguments: &[&str]) -> Outcome {
    let data = home.data();
    let (command, rest) = arguments.split_first().unwrap();
    lifeboat(&[&[*command, data.to_str().unwrap()], rest].concat(), "")
}

fn send(home: &Home) {
    let (count, size) = (SENT.to_string(), SIZE.to_string());
    run(home, &["send", "work.in", "--count", &count, "--size", &size]).ended(0);
}

fn first_segment(home: &Home) -> PathBuf {
    home.data().join("streams/work/00000000000000000000.log")
}

/// Inverts a bit in the payload of the first record of the second batch, or of the first.
fn damage(home: &Home) {
    let file =
        std::fs::OpenOptions::new().read(true).write(true).open(first_segment(home)).unwrap();
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 4096).unwrap();
    assert_eq!(&header[..4], b"LBB1");
    let records = u64::from(u32::from_le_bytes(header[12..16].try_into().unwrap()));
    let payload = 4096 + 64 + 8 * records + WIRE / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, payload).unwrap();
    file.write_all_at(&[byte[0] ^ 4], payload).unwrap();
}

/// A queue that has `SENT` records and no process; its first segment is sealed.
fn filled(on_damage: &str, delivery: &str) -> Home {
    let home = home(on_damage, delivery);
    let queue = home.start();
    send(&home);
    assert_eq!(queue.stop().code(), Some(0));
    assert_eq!(home.start().stop().code(), Some(0), "what it wrote is sealed by the next start");
    home
}

/// Receives so many messages; the numbers that they begin with.
fn receive(home: &Home, count: u64) -> BTreeSet<u64> {
    receive_from(home, "work.out", count)
}

fn receive_from(home: &Home, delivery: &str, count: u64) -> BTreeSet<u64> {
    let count = count.to_string();
    let outcome = run(home, &["receive", delivery, "--count", &count, "--timeout", "30s"]).ended(0);
    let number = |line: &str| line.trim_end_matches('.').parse::<u64>().unwrap();
    outcome.stdout.lines().map(number).collect()
}

fn all_but_the_first() -> BTreeSet<u64> {
    (1..SENT).collect()
}

fn stream(home: &Home) -> StreamStatus {
    home.stream("work")
}

fn skips(delivery: &str) {
    let home = filled("SkipWithGap", delivery);
    damage(&home);
    let queue = home.start();
    assert_eq!(receive(&home, SENT - 1), all_but_the_first());
    until("the gap shows, and is mended", || {
        let seen = stream(&home);
        (seen.lost, seen.state, seen.damage) == (1, StreamState::Open, None)
    });
    until("its delivery knows", || home.delivery("out").lost == 1);
    send(&home);
    // One that pulls gets its trail once more.
    let again = if delivery == CREDIT { 0 } else { SENT - 1 };
    assert_eq!(receive(&home, again + SENT).len() as u64, SENT, "it goes on");
    let quarantine = home.data().join("streams/work/quarantine");
    assert_eq!(std::fs::read_dir(quarantine).unwrap().count(), 1);
    assert_eq!(queue.stop().code(), Some(0));
    // What was lost is remembered, and not lost again.
    let _queue = home.start();
    assert_eq!((stream(&home).lost, home.delivery("out").lost), (1, 1));
    if delivery == CREDIT {
        assert_eq!(stream(&home).depth, 0);
    }
}

#[test]
fn applications_that_acknowledge_get_all_but_what_is_lost() {
    skips(CREDIT);
}

#[test]
fn applications_that_pull_get_all_but_what_is_lost() {
    skips(PUSH);
}

/// A delivery that the file does not name while damage is met, and names again later.
fn comes_back(closed_while_it_runs: bool) {
    let home = filled("SkipWithGap", CREDIT);
    let other = format!("{{name: other, {CREDIT}}}");
    let both = yaml("SkipWithGap", &format!("{{name: out, {CREDIT}}}, {other}"));
    let without = yaml("SkipWithGap", &other);
    home.rewrite(if closed_while_it_runs { &both } else { &without });
    damage(&home);
    let queue = home.start();
    let change = |text: &str| {
        home.rewrite(text);
        queue.signal(Signal::HUP);
        until("the file is applied", || home.status().config.hash == hash(text));
    };
    if closed_while_it_runs {
        change(&without);
    }
    assert_eq!(receive_from(&home, "work.other", SENT - 1), all_but_the_first());
    until("the gap shows", || stream(&home).lost == 1);
    until("it is no part of the backlog", || home.delivery("out").depth == SENT - 1);
    change(&both);
    assert_eq!(receive(&home, SENT - 1), all_but_the_first());
    until("nothing is left", || home.delivery("out").depth == 0);
    assert_eq!(home.delivery("out").lost, 1);
    assert_eq!(queue.stop().code(), Some(0));
    let _queue = home.start();
    assert_eq!(home.delivery("out").lost, 1, "it is on record, once");
}

#[test]
fn a_delivery_that_comes_back_knows_what_it_lost_before_the_start() {
    comes_back(false);
}

#[test]
fn a_delivery_that_comes_back_knows_what_it_lost_since_the_start() {
    comes_back(true);
}

#[test]
fn an_operator_lets_a_stopped_stream_go_on_while_it_runs() {
    let home = filled("Stop", CREDIT);
    damage(&home);
    let queue = home.start();
    let app = App::with_credit(queue.endpoint("work.out"), 64);
    until("the damage is met", || stream(&home).state == StreamState::Stopped);
    // It hears whom it is connected to, and no record.
    while app.socket.poll(zmq::POLLIN, 1500).unwrap() > 0 {
        let heard = app.hear();
        assert!(matches!(heard, Heard::Hello(_)), "{heard:?}");
    }
    drop(app);
    assert!(stream(&home).reason.unwrap().contains("checksum"));
    // A producer without receipts waits.
    let producer = support::sockets::connected(zmq::PUSH, queue.endpoint("work.push"));
    producer.send("9999", 0).unwrap();

    let dry = run(&home, &["accept-gap", "work", "--dry-run"]).ended(0);
    assert!(dry.stdout.contains("lost: 0"), "{dry:?}");
    assert!(run(&home, &["accept-gap", "work"]).ended(64).stderr.contains("--yes"));
    assert_eq!(stream(&home).state, StreamState::Stopped);
    let unknown = run(&home, &["accept-gap", "nobody", "--yes"]).ended(64);
    assert!(unknown.stderr.contains("no stream nobody in queue q: there is work"));
    let done = run(&home, &["accept-gap", "work", "--yes"]).ended(0);
    assert!(done.stdout.contains("1 record lost"), "{done:?}");
    let seen = stream(&home);
    assert_eq!((seen.state, seen.lost, seen.damage), (StreamState::Open, 1, None));
    let mut expected = all_but_the_first();
    expected.insert(9999);
    until("what waited comes in", || stream(&home).durable_end > SENT);
    assert_eq!(receive(&home, SENT), expected);
    let audit = std::fs::read_to_string(home.data().join("streams/work/audit.log")).unwrap();
    assert!(audit.contains("accept-gap") && audit.contains("lost: 0"), "{audit}");
    assert!(run(&home, &["accept-gap", "work", "--yes"]).ended(0).stdout.contains("not damaged"));
    let json = run(&home, &["accept-gap", "work", "--yes", "--json"]).ended(0).stdout;
    assert_eq!(json, "{\"places\":0,\"lost\":0,\"kept\":0}\n");
}

/// A stream that is stopped from the start on: nothing behind the damage is known yet.
#[test]
fn a_stream_that_never_started_goes_on_too() {
    let home = filled("Stop", CREDIT);
    let file = std::fs::OpenOptions::new().write(true).open(first_segment(&home)).unwrap();
    file.write_all_at(b"!", 9).unwrap();
    let _queue = home.start();
    assert_eq!((stream(&home).state, stream(&home).depth), (StreamState::Stopped, 0));
    assert!(run(&home, &["send", "work.in", "more", "--timeout", "1s"]).code != Some(0));
    let done = run(&home, &["accept-gap", "work", "--yes"]).ended(0);
    assert!(done.stdout.contains("0 records lost, 300 records"), "{done:?}");
    assert_eq!(stream(&home).depth, SENT);
    send(&home);
    let received = run(&home, &["receive", "work.out", "--count", "600", "--timeout", "30s"]);
    assert_eq!(received.ended(0).stdout.lines().count() as u64, 2 * SENT);
}

#[test]
fn a_directory_is_checked_dumped_and_mended_without_a_queue() {
    let home = filled("Stop", CREDIT);
    let clean = on_directory(&home, &["check"]).ended(0);
    assert!(
        clean.stdout.contains("300 records") && clean.stdout.contains("no damage"),
        "{clean:?}"
    );
    damage(&home);
    let found = on_directory(&home, &["check"]).ended(65);
    assert!(found.stdout.contains("DAMAGE") && found.stdout.contains("lost: 0"), "{found:?}");
    let json = on_directory(&home, &["check", "--json"]).ended(65).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["findings"][0]["lost"], serde_json::json!([[0, 1]]));

    let dumped = on_directory(&home, &["dump", "--stream", "work", "--to", "200"]).ended(0);
    let seqs: Vec<u64> = dumped
        .stdout
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(seqs, (1..200).collect::<Vec<_>>());
    let raw =
        on_directory(&home, &["dump", "--from", "7", "--to", "9", "--format", "raw"]).ended(0);
    assert_eq!(raw.stdout.len() as u64, 2 * WIRE);

    let queue = home.start();
    assert!(on_directory(&home, &["check"]).ended(75).stderr.contains("another process"));
    assert_eq!(queue.stop().code(), Some(0));
    let done = run(&home, &["accept-gap", "work", "--yes"]).ended(0);
    assert!(done.stdout.contains("1 record lost"), "{done:?}");
    on_directory(&home, &["check"]).ended(0);
    let _queue = home.start();
    assert_eq!(receive(&home, SENT - 1), all_but_the_first());
    assert_eq!(home.delivery("out").lost, 1);
}
