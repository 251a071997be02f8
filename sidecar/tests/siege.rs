//! Every kind of crowd at once, beyond what a socket lets in and beyond the usual limit on file
//! descriptors: live traffic goes on, memory stays within what the file gives, and every connection
//! is accounted for. What it does to the time of a receipt is the bench's case `siege`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use std::process::Command;
use std::thread;

use support::both::{IN, OUT, TRANSPORTS};
use support::credit::App;
use support::siege::{churn, deaf_producers, loris, raise_descriptors, storm};
use support::sockets::{connected, receive, send};
use support::tally::{number, numbered};
use support::{Home, Lifeboat, wait_for};

/// `maxConnections` when the file says nothing.
const CAP: usize = 1024;
/// `sidecar.memory` when the file says nothing.
const MEMORY: u64 = 96 << 20;
const CHURN: usize = 2000;
const STORM: usize = 500;
const WAVES: usize = 3;
/// Bytes of a live message, which tell it from an attacker's.
const LIVE: usize = 100;
/// What comes after the last live message.
const END: &[u8] = b"end";

/// Starts the queue with fewer descriptors than it will need, as most shells would.
fn start_with_few_descriptors(home: &Home) -> Lifeboat {
    let queue = home.command();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -S -n 256 && exec \"$0\" \"$@\""]);
    command.arg(queue.get_program()).args(queue.get_args());
    command.envs(queue.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Lifeboat::start(command)
}

/// A well-behaved producer.
struct Producer {
    socket: zmq::Socket,
    receipted: usize,
}

impl Producer {
    /// Ten messages are sent and receipted.
    fn serve(&mut self) {
        const ROUND: usize = 10;
        for at in self.receipted..self.receipted + ROUND {
            send(&self.socket, &[&numbered(at, LIVE)]);
        }
        for _ in 0..ROUND {
            assert_eq!(receive(&self.socket)[0], b"200");
        }
        self.receipted += ROUND;
    }
}

/// A well-behaved application: acknowledges what comes until the end of the live messages, and
/// counts those. Each comes once, and in order.
fn consume(app: &App) -> u64 {
    const TOGETHER: usize = 32;
    let (mut live, mut unsettled) = (0, Vec::new());
    loop {
        let msg = app.next();
        let is_end = msg.body[0] == END;
        if msg.body[0].len() == LIVE {
            assert_eq!(number(&msg.body[0]), live);
            live += 1;
        }
        unsettled.push(msg);
        if is_end || unsettled.len() == TOGETHER {
            app.ack(&unsettled);
            unsettled.clear();
        }
        if is_end {
            return live;
        }
    }
}

#[test]
fn every_crowd_at_once_is_survived_and_accounted_for() {
    raise_descriptors();
    let home = Home::queue(IN, OUT);
    let lifeboat = start_with_few_descriptors(&home);
    let endpoint = |socket: &str, transport: &str| {
        lifeboat.endpoint(&format!("work.{socket}{transport}")).to_owned()
    };
    let mut live = Producer { socket: connected(zmq::DEALER, &endpoint("in", "")), receipted: 0 };
    let app = App::with_credit(&endpoint("acked", ""), 64);
    let consumer = thread::spawn(move || consume(&app));
    live.serve();
    let slow = TRANSPORTS.map(|transport| loris(&endpoint("in", transport)));
    let deaf = TRANSPORTS.map(|transport| deaf_producers(&endpoint("in", transport), 5));
    let mut attackers = Vec::new();
    for transport in TRANSPORTS {
        let [push, dealer] = ["push", "in"].map(|socket| endpoint(socket, transport));
        attackers.push(thread::spawn(move || {
            // All are there at one time, so the cap is met each time.
            (0..WAVES).for_each(|_| assert!(churn(&push, CHURN) <= CAP));
        }));
        attackers.push(thread::spawn(move || (0..WAVES).for_each(|_| storm(&dealer, STORM))));
    }
    while attackers.iter().any(|attacker| !attacker.is_finished()) {
        live.serve();
    }
    for attacker in attackers {
        attacker.join().unwrap();
    }
    for (transport, slow) in TRANSPORTS.into_iter().zip(&slow) {
        let push = format!("push{transport}");
        lifeboat.wait_ended(&push, "", (WAVES * CHURN) as u64);
        let refused = lifeboat.ended(&push, "too_many_connections");
        assert!(refused >= (WAVES * (CHURN - CAP)) as u64, "only {refused} refused");
        let dealer = format!("in{transport}");
        lifeboat.wait_ended(&dealer, "handshake_timeout", slow.len() as u64);
        lifeboat.wait_ended(&dealer, "", (slow.len() + WAVES * STORM) as u64);
    }
    drop(deaf);
    live.serve();
    send(&live.socket, &[END]);
    assert_eq!(consumer.join().unwrap(), live.receipted as u64);
    // What the deaf sent is stored, and delivered like anything else.
    let stream = home.stream("work");
    assert!(stream.durable_end >= (live.receipted + 2 * WAVES * STORM) as u64);
    wait_for("their connections to end", || {
        let ingress = home.stream("work").ingress;
        let open: u64 = ingress.iter().map(|it| it.socket.connections).sum();
        (open == 1).then_some(())
    });
    let peak = lifeboat.peak_memory();
    assert!(peak < MEMORY, "{peak} bytes");
    assert_eq!(lifeboat.metric("lifeboat_accept_failures_total", &[]), 0);
}
