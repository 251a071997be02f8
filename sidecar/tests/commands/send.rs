//! What `lifeboat send` sends, to whom, and what it says of it.

use crate::{CREDIT, PULL, Running, lifeboat};

#[test]
fn every_message_has_its_receipt() {
    let queue = Running::usual();
    let frames = ["send", "work.receipts", "a", "b|c", "", "--separator", "|"];
    queue.run(&frames).succeeds().says(&["3 sent, 3 receipted (seq 0..2)"]);
    let lines = "one\n\nlast";
    queue
        .run_with(&["send", "work.receipts"], lines)
        .succeeds()
        .says(&["3 sent, 3 receipted (seq 3..5)"]);
    queue
        .run(&["send", "work.receipts", "x", "y", "--count", "3"])
        .succeeds()
        .says(&["3 sent, 3 receipted (seq 6..8)"]);
    let url = queue.process.endpoint("work.receipts");
    lifeboat(&["send", url, "--receipts", "--count", "2", "--size", "3"], "")
        .succeeds()
        .says(&["2 sent, 2 receipted (seq 9..10)"]);
    let json = queue.run(&["send", "work.receipts", "--count", "2", "--size", "3", "--json"]);
    let expected =
        "{\"sent\":2,\"receipted\":2,\"refused\":0,\"firstSeq\":11,\"lastSeq\":12,\"resent\":0}\n";
    assert_eq!(json.succeeds().stdout, expected);
    let received = queue.run(&["receive", "work.workers", "--json", "--count", "11"]).succeeds();
    let frames: Vec<String> = received
        .stdout
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["frames"].to_string()
        })
        .collect();
    let expected = [
        r#"["a"]"#,
        r#"["b","c"]"#,
        r#"[""]"#,
        r#"["one"]"#,
        r#"[""]"#,
        r#"["last"]"#,
        r#"["x"]"#,
        r#"["y"]"#,
        r#"["x"]"#,
        r#"["0.."]"#,
        r#"["1.."]"#,
    ];
    assert_eq!(frames, expected);
}

#[test]
fn a_window_smaller_than_the_input_is_no_limit() {
    let queue = Running::usual();
    let arguments = ["send", "work.receipts", "--count", "5000", "--size", "100", "--window", "7"];
    queue.run(&arguments).succeeds().says(&["5,000 sent, 5,000 receipted (seq 0..4999)"]);
    assert_eq!(queue.depth(), 5000);
}

#[test]
fn a_refused_message_is_named_and_fails_the_command() {
    let small = "{name: small, socket: ROUTER, protocol: Receipt, maxMessageSize: 1Ki}";
    let queue = Running::start(small, CREDIT);
    let large = "x".repeat(2000);
    queue
        .run(&["send", "work.small", "a", &large, "b"])
        .fails(1, &["message 2: 413", "1 message refused"])
        .says(&["3 sent, 2 receipted (seq 0..1)"]);
    assert_eq!(queue.depth(), 2);
}

#[test]
fn a_pull_ingress_gives_no_receipts_but_the_queue_counts() {
    let queue = Running::usual();
    queue
        .run(&["send", "work.push", "--count", "20000", "--size", "1000"])
        .succeeds()
        .says(&["20,000 sent; a PULL ingress gives no receipts", "the queue has read 20,000"]);
    assert_eq!(queue.depth(), 20_000);
    let url = queue.process.endpoint("work.push");
    let outcome = lifeboat(&["send", url, "--push"], "a\nb\n").succeeds();
    assert!(outcome.stdout.contains("2 sent; a PULL"), "{outcome:?}");
    assert!(!outcome.stdout.contains("the queue has read"), "nobody was asked: {outcome:?}");
    // The kernel delivers what the process left there.
    crate::support::until("all stored", || queue.depth() == 20_002);
}

#[test]
fn a_target_that_is_none_is_refused_with_what_there_is() {
    let queue = Running::usual();
    queue
        .run(&["send", "work.nothing", "a"])
        .fails(64, &["no ingress work.nothing", "work.receipts, work.push"]);
    queue
        .run(&["send", "work.workers", "a"])
        .fails(64, &["the delivery side: `lifeboat receive work.workers`"]);
    queue
        .run(&["receive", "work.push"])
        .fails(64, &["the ingress side: `lifeboat send work.push`"]);
    queue.run(&["send", "work.push", "--push", "a"]).fails(64, &["--push is for a URL"]);
    queue.run(&["send", "tcp://127.0.0.1:1", "a"]).fails(64, &["--receipts or --push"]);
    queue.run(&["receive", "tcp://127.0.0.1:1"]).fails(64, &["--credit or --pull"]);
    assert_eq!(queue.depth(), 0);
}

#[test]
fn an_endpoint_that_speaks_something_else_refuses() {
    let queue = Running::start(PULL, CREDIT);
    let url = queue.process.endpoint("work.push");
    lifeboat(&["send", url, "--receipts", "a"], "").fails(1, &["refuses this kind of socket"]);
    assert_eq!(queue.depth(), 0);
}

#[test]
fn an_endpoint_where_nothing_listens_is_tried_for_as_long_as_asked() {
    let home = tempfile::tempdir().unwrap();
    let url = format!("ipc://{}/nobody", home.path().display());
    lifeboat(&["send", &url, "--receipts", "a", "--timeout", "200ms"], "")
        .fails(1, &["cannot connect to ipc://"]);
}
