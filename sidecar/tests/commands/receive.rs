//! What `lifeboat receive` takes, and what it leaves.

use crate::{CREDIT, PULL, RECEIPTS, Running, lifeboat};

/// What `receive --json` printed: seq and attempt.
fn records(stdout: &str) -> Vec<(u64, u64)> {
    let record = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        (line["seq"].as_u64().unwrap(), line["attempt"].as_u64().unwrap())
    };
    stdout.lines().map(record).collect()
}

#[test]
fn what_is_not_acknowledged_stays() {
    let queue = Running::start(RECEIPTS, CREDIT);
    queue.run(&["send", "work.receipts", "a", "b|c", "d", "--separator", "|"]).succeeds();
    let look = ["receive", "work.workers", "--count", "2", "--no-ack"];
    let outcome = queue.run(&look).succeeds();
    assert_eq!(outcome.stdout, "a\nb|c\n");
    assert!(outcome.stderr.contains("not acknowledged"), "{outcome:?}");
    assert_eq!(queue.depth(), 3);
    // More than were ever held at once: still the same ones, and not more.
    let take = ["receive", "work.workers", "--count", "2", "--json"];
    let outcome = queue.run(&take).succeeds();
    assert_eq!(records(&outcome.stdout), [(0, 2), (1, 2)]);
    assert!(outcome.stderr.contains("2 received; acknowledged"), "{outcome:?}");
    assert_eq!(queue.depth(), 1);
    let stream = &queue.status().streams[0];
    assert_eq!((stream.deliveries[0].cursor, stream.in_flight), (2, 0));
    let rest = ["receive", "work.workers", "--count", "5", "--timeout", "5s"];
    let outcome = queue.run(&rest).fails(1, &["1 of 5 came in"]);
    assert_eq!(outcome.stdout, "d\n");
    assert_eq!(queue.depth(), 0);
}

#[test]
fn more_than_a_window_comes_in_order_and_once() {
    let queue = Running::start(RECEIPTS, CREDIT);
    queue.run(&["send", "work.receipts", "--count", "3000", "--size", "10"]).succeeds();
    let url = queue.process.endpoint("work.workers");
    let take = ["receive", url, "--credit", "--json", "--count", "3000", "--timeout", "30s"];
    let outcome = lifeboat(&take, "").succeeds();
    let expected: Vec<_> = (0..3000).map(|seq| (seq, 1)).collect();
    assert_eq!(records(&outcome.stdout), expected);
    assert_eq!(queue.depth(), 0);
}

#[test]
fn a_pull_cannot_acknowledge_and_says_so() {
    let queue = Running::start(PULL, "{name: out, socket: PUSH}");
    queue.run(&["send", "work.push", "a", "b|c", "--separator", "|"]).succeeds();
    let outcome =
        queue.run(&["receive", "work.out", "--count", "2", "--separator", " + "]).succeeds();
    assert_eq!(outcome.stdout, "a\nb + c\n");
    assert!(outcome.stderr.contains("a PULL cannot acknowledge"), "{outcome:?}");
    // The trail: the next reader gets them once more.
    let outcome = queue.run(&["receive", "work.out", "--count", "2", "--json"]).succeeds();
    assert_eq!(outcome.stdout, "{\"frames\":[\"a\"]}\n{\"frames\":[\"b\",\"c\"]}\n");
}
