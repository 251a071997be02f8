//! What `lifeboat status` shows.

use std::process::Command;

use crate::support::{Home, until};
use crate::{Running, lifeboat};

#[test]
fn a_running_queue_is_described() {
    let queue = Running::usual();
    queue.run(&["send", "work.receipts", "a", "b", "c"]).succeeds();
    until("the producer is seen to be gone", || {
        queue.status().streams[0].ingress[0].socket.connections == 0
    });
    let outcome = queue.run(&["status"]).succeeds();
    let endpoint = queue.process.endpoint("work.receipts").to_owned();
    let lines: Vec<Vec<&str>> =
        outcome.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..3], ["queue", "q", "open"], "{outcome:?}");
    assert!(lines.iter().any(|line| line.starts_with(&["work", "3", "0"])), "{outcome:?}");
    let ingress = ["work.receipts", "ROUTER", "Receipt", "0", "-", "-", &endpoint];
    assert!(lines.iter().any(|line| line[..] == ingress), "{outcome:?}");
    let delivery = ["work.workers", "ROUTER", "Credit", "0", "0", "3"];
    assert!(lines.iter().any(|line| line.starts_with(&delivery)), "{outcome:?}");
    assert!(!outcome.stdout.contains('\x1b'));
}

#[test]
fn json_is_the_status_itself() {
    let queue = Running::usual();
    queue.run(&["send", "work.receipts", "a", "b", "c"]).succeeds();
    let status = queue.status();
    assert_eq!((status.name.as_str(), status.streams[0].depth), ("q", 3));
    assert_eq!(status.streams[0].ingress[0].messages, 3);
    assert_eq!(status.features, lifeboat_api::supported_features());
}

/// As in a sidecar's container, whose image sets it.
#[test]
fn the_environment_says_where_the_data_is() {
    let queue = Running::usual();
    let mut status = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
    let output = status.arg("status").env("LIFEBOAT_DATA", queue.home.data()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.starts_with(b"queue"), "{output:?}");
}

#[test]
fn without_a_queue_it_says_how_to_start_one() {
    let home = Home::queue(crate::PULL, crate::CREDIT);
    let data = home.data();
    let data = data.to_str().unwrap();
    let said = [&format!("no queue runs on {data}"), "lifeboat run FILE --data"];
    lifeboat(&["status", "--data", data], "").fails(1, &said);
    // Also where one was killed and its socket is still there.
    let process = home.start();
    process.kill();
    assert!(home.data().join("control.sock").exists());
    lifeboat(&["status", "--data", data], "").fails(1, &said);
    lifeboat(&["send", "work.push", "a", "--data", data], "").fails(1, &said);
}
