//! The verbs of operators: looking without consuming, dead letters and back, discarding, purging.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::credit::App;
use crate::support::{Home, wait_for, yaml};
use crate::{CREDIT, PULL, RECEIPTS, Running};

const OTHER: &str = "{name: other, socket: ROUTER, protocol: Credit}";

/// JSON lines.
fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The seqs and the first frames of what `peek --json` printed.
fn peeked(stdout: &str) -> Vec<(u64, String)> {
    let one = |line: &Value| {
        (line["seq"].as_u64().unwrap(), line["frames"][0].as_str().unwrap().to_owned())
    };
    lines(stdout).iter().map(one).collect()
}

/// Two deliveries; `other` has settled all of `messages`, and `workers` has rejected the last ones.
fn with_dead_letters(messages: &[&str], rejected: usize) -> (Running, App) {
    let queue = Running::start(RECEIPTS, &[CREDIT, OTHER].join(", "));
    queue.run(&[&["send", "work.receipts"], messages].concat()).succeeds();
    let other = App::with_credit(queue.process.endpoint("work.other"), 64);
    other.settle(messages.len());
    wait_for("the acks", || (queue.status().streams[0].deliveries[1].depth == 0).then_some(()));
    let app = App::with_credit(queue.process.endpoint("work.workers"), 8);
    for (at, msg) in app.take(messages.len()).into_iter().enumerate() {
        if at + rejected < messages.len() {
            app.ack(&[msg]);
        } else {
            app.say(&[b"REJECT", &msg.token, b"no such order"]);
        }
    }
    wait_for("the verdicts", || (queue.depth() == 0).then_some(()));
    assert_eq!(queue.status().streams[0].dead_letters, rejected as u64);
    (queue, other)
}

#[test]
fn peek_shows_what_is_there_and_consumes_nothing() {
    let queue = Running::usual();
    queue.run(&["send", "work.receipts", "a|x", "b", "c", "--separator", "|"]).succeeds();
    for _ in 0..2 {
        queue.run(&["peek", "work"]).succeeds().says(&["message", "a | x", "1 B"]);
        let outcome = queue.run(&["peek", "work", "-n", "2", "--json"]).succeeds();
        assert_eq!(peeked(&outcome.stdout), [(0, "a".to_owned()), (1, "b".to_owned())]);
    }
    let status = queue.status();
    assert_eq!((status.streams[0].depth, status.streams[0].in_flight), (3, 0));
    let app = App::with_credit(queue.process.endpoint("work.workers"), 1);
    app.settle(1);
    wait_for("the ack", || (queue.depth() == 2).then_some(()));
    let unsettled = ["peek", "work", "--delivery", "workers", "--json"];
    let outcome = queue.run(&unsettled).succeeds();
    assert_eq!(peeked(&outcome.stdout), [(1, "b".to_owned()), (2, "c".to_owned())]);
    let outcome = queue.run(&["peek", "work", "--from", "2", "--bytes", "0", "--json"]).succeeds();
    assert_eq!(lines(&outcome.stdout)[0]["cut"], Value::Bool(true));
    queue.run(&["peek", "work", "--dead-letters"]).succeeds().says(&["nothing there"]);
    queue.run(&["peek", "worm"]).fails(64, &["no stream worm in queue q: there is work"]);
    let nobody = ["peek", "work", "--delivery", "nobody"];
    queue.run(&nobody).fails(64, &["no delivery nobody on stream work: there is workers"]);
}

#[test]
fn tail_follows_until_it_is_interrupted() {
    let queue = Running::usual();
    queue.run(&["send", "work.receipts", "before", "last"]).succeeds();
    let mut tail = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .args(["tail", "work", "-n", "1", "--data"])
        .arg(queue.home.data())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = BufReader::new(tail.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(shown.next().unwrap(), "1  last");
    queue.run(&["send", "work.receipts", "new"]).succeeds();
    assert_eq!(shown.next().unwrap(), "2  new");
    kill_process(Pid::from_child(&tail), Signal::INT).unwrap();
    let ended = wait_for("tail to end", || tail.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
    assert_eq!((queue.depth(), shown.next()), (3, None));
}

#[test]
fn a_redriven_letter_goes_back_to_whom_gave_it_up_and_to_nobody_else() {
    let (queue, other) = with_dead_letters(&["a", "b", "c", "d"], 2);
    let letters = queue.run(&["peek", "work", "--dead-letters", "--json"]).succeeds();
    assert_eq!(peeked(&letters.stdout), [(0, "c".to_owned()), (1, "d".to_owned())]);
    assert_eq!(lines(&letters.stdout)[0]["letter"]["delivery"], "workers");
    queue
        .run(&["peek", "work", "--dead-letters"])
        .succeeds()
        .says(&["workers", "rejected: no such order"]);
    let dry = queue.run(&["redrive", "work", "--all", "--dry-run", "--json"]).succeeds();
    assert_eq!(lines(&dry.stdout)[0], serde_json::json!({"records":2,"left":0,"dryRun":true}));
    queue.run(&["redrive", "work", "--seq", "7"]).fails(64, &["no such dead letter", "peek work"]);
    queue.run(&["redrive", "work"]).fails(64, &["--all"]);
    queue.run(&["redrive", "work", "--seq", "1"]).succeeds().says(&["1 dead letter redriven"]);
    queue.run(&["redrive", "work", "--all", "--delivery", "other"]).succeeds().says(&["0 dead"]);
    queue.run(&["redrive", "work", "--all"]).succeeds().says(&["1 dead letter redriven"]);
    let stream = &queue.status().streams[0];
    assert_eq!((stream.dead_letters, stream.depth, stream.durable_end), (0, 2, 6));
    assert_eq!(other.drain(), [], "it had settled them before");
    let app = App::with_credit(queue.process.endpoint("work.workers"), 8);
    let again: Vec<_> = app.settle(2).into_iter().map(|msg| (msg.seq, msg.body)).collect();
    assert_eq!(again, [(4, vec![b"d".to_vec()]), (5, vec![b"c".to_vec()])]);
    wait_for("the acks", || (queue.depth() == 0).then_some(()));

    // What was taken away stays away.
    let Running { home, process } = queue;
    process.kill();
    let _process = home.start();
    assert_eq!(home.stream("work").dead_letters, 0);
}

#[test]
fn many_letters_go_back_in_lots() {
    let home = Home::new(&yaml("1Gi", &[("work", RECEIPTS, &[CREDIT, OTHER].join(", "))]));
    let queue = Running { process: home.start(), home };
    queue.run(&["send", "work.receipts", "--count", "1000", "--size", "300"]).succeeds();
    let app = App::with_credit(queue.process.endpoint("work.workers"), 8);
    for _ in 0..1000 {
        let msg = app.next();
        app.say(&[b"REJECT", &msg.token]);
    }
    wait_for("the letters", || (queue.status().streams[0].dead_letters == 1000).then_some(()));
    queue.run(&["redrive", "work", "--all"]).succeeds().says(&["1,000 dead letters redriven"]);
    let bodies = app.settle(1000).into_iter().map(|msg| msg.body);
    let numbers: Vec<usize> = bodies
        .map(|body| {
            let digits = body[0].split(|&byte| byte == b'.').next().unwrap();
            std::str::from_utf8(digits).unwrap().parse().unwrap()
        })
        .collect();
    assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
    let settled = || queue.status().streams[0].deliveries[0].depth == 0;
    wait_for("the acks", || settled().then_some(()));
    // The other delivery has its own, once, and nothing of what was redriven.
    let other = &queue.status().streams[0].deliveries[1];
    assert_eq!((other.depth, queue.status().streams[0].dead_letters), (1000, 0));
}

#[test]
fn discarded_records_are_settled_for_one_delivery() {
    let queue = Running::start(RECEIPTS, &[CREDIT, OTHER].join(", "));
    queue.run(&["send", "work.receipts", "--count", "10", "--size", "10"]).succeeds();
    let app = App::with_credit(queue.process.endpoint("work.workers"), 8);
    let held = app.take(8);
    let discard = |more: &[&str]| queue.run(&[&["discard", "work", "workers"], more].concat());
    discard(&["2", "4-8"]).fails(64, &["6 records would be discarded from work.workers", "--yes"]);
    discard(&["2", "4-8", "--dry-run"]).succeeds().says(&["6 records would be discarded"]);
    discard(&["2", "10", "--yes"]).fails(64, &["no record 10", "ends before 10"]);
    discard(&["2", "4-8", "--yes"]).succeeds().says(&["6 records discarded"]);
    discard(&["2", "4-8", "--yes"]).succeeds().says(&["0 records discarded"]);
    queue.run(&["discard", "work", "nobody", "1", "--yes"]).fails(64, &["workers, other"]);
    // What it holds of them need not be acknowledged; the rest comes as before.
    app.ack(&[&held[..2], &held[3..4]].concat());
    assert_eq!(app.settle(1)[0].seq, 9);
    let depths =
        || queue.status().streams[0].deliveries.iter().map(|it| it.depth).collect::<Vec<_>>();
    wait_for("the acks", || (depths() == [0, 10]).then_some(()));
}

#[test]
fn a_purge_says_what_it_takes_and_takes_that() {
    let (queue, _) = with_dead_letters(&["a", "b"], 1);
    queue.run(&["send", "work.receipts", "c", "d", "e"]).succeeds();
    let purge = |more: &[&str]| queue.run(&[&["purge", "work"], more].concat());
    purge(&[]).fails(64, &["3 records would be purged from work", "--yes"]);
    purge(&["--dead-letters", "--dry-run"]).succeeds().says(&["1 dead letter would be purged"]);
    purge(&["--dead-letters", "--yes", "--json"]).succeeds().says(&["\"records\":1"]);
    assert_eq!(queue.status().streams[0].dead_letters, 0);
    purge(&["--delivery", "workers", "--yes"])
        .succeeds()
        .says(&["3 records purged from work.workers"]);
    assert_eq!(queue.status().streams[0].depth, 3, "the other one still has them");
    purge(&["--yes"]).succeeds().says(&["3 records purged"]);
    assert_eq!(queue.depth(), 0);
    purge(&["--removed", "workers", "--yes"]).fails(64, &["no removed delivery workers", "none"]);
    queue.run(&["purge", "nowhere", "--yes"]).fails(64, &["no stream nowhere"]);
}

#[test]
fn a_removed_delivery_is_purged_for_good() {
    let Running { home, process } = Running::start(PULL, &[CREDIT, OTHER].join(", "));
    let queue = Running { home, process };
    queue.run(&["send", "work.push", "a", "b"]).succeeds();
    wait_for("the messages", || (queue.depth() == 2).then_some(()));
    let Running { home, process } = queue;
    assert_eq!(process.stop().code(), Some(0));
    home.rewrite(&yaml("4Gi", &[("work", PULL, CREDIT)]));
    let queue = Running { process: home.start(), home };
    let purge = ["purge", "work", "--removed", "other"];
    queue.run(&[&purge[..], &["--dry-run"]].concat()).succeeds().says(&["2 records would be"]);
    queue.run(&[&purge[..], &["--yes"]].concat()).succeeds().says(&["2 records purged"]);
    queue.run(&["purge", "work", "--delivery", "workers", "--yes"]).succeeds();
    assert_eq!((queue.depth(), queue.status().streams[0].deliveries.len()), (0, 1));
    let Running { home, process } = queue;
    process.kill();
    let _process = home.start();
    assert_eq!(home.stream("work").deliveries.len(), 1);
}
