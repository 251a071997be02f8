//! How fast is a durable hop? Ratios against peers in one run, on this machine, interleaved.
//!
//! `cargo bench -p lifeboat-sidecar --bench hop [-- --rounds N --seconds S --case NAME]`
//!
//! Every role is a process of its own, with libzmq at both ends of every hop:
//! - `raw`: 512 messages' bytes appended to one growing file per fdatasync, nothing else;
//! - `proxy`: libzmq's own `zmq_proxy`, PULL on tcp, PUSH on ipc, which stores nothing;
//! - `hop`: `lifeboat run`, the same sockets, every message synced before it is handed on;
//! - `receipts`: a DEALER with 512 messages outstanding towards `lifeboat run`, no consumer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss)] // a bench may panic, and rounds

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use support::{Home, Lifeboat};

/// Messages a sync of the raw yardstick, and outstanding in the receipts case.
const WINDOW: usize = 512;
const SIZES: [usize; 3] = [100, 1024, 16 << 10];
/// Bytes that one run of one case moves, about.
const RUN_BYTES: usize = 512 << 20;
/// No run has more messages, so that small ones do not take for ever.
const RUN_MESSAGES: usize = 3_000_000;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let arg = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1).cloned()
    };
    match arg("--role").as_deref() {
        Some("push") => push(&arg("--to").unwrap(), number(arg("--count")), number(arg("--size"))),
        Some("pull") => pull(&arg("--from").unwrap(), number(arg("--count"))),
        Some("proxy") => proxy(&arg("--from").unwrap(), &arg("--to").unwrap()),
        Some("dealer") => {
            dealer(&arg("--to").unwrap(), number(arg("--count")), number(arg("--size")));
        }
        Some(other) => panic!("no role {other}"),
        None => compare(arg("--rounds").map_or(3, |rounds| number(Some(rounds)))),
    }
}

fn number(arg: Option<String>) -> usize {
    arg.expect("a number is missing").parse().unwrap()
}

/// Runs all cases in turn, `rounds` times, and prints medians and ratios.
fn compare(rounds: usize) {
    println!("size      case       msg/s (median of {rounds})   of proxy   of raw   target");
    for size in SIZES {
        let count = (RUN_BYTES / size).min(RUN_MESSAGES);
        let mut rates = [const { Vec::new() }; 4];
        for _ in 0..rounds {
            rates[0].push(raw(count, size));
            rates[1].push(through_proxy(count, size));
            rates[2].push(through_lifeboat(count, size));
            if size == 1024 {
                rates[3].push(receipts(count / 2, size));
            }
        }
        let [raw, proxy, hop, receipts] = rates.map(median);
        let target = (1.25 * proxy).min(0.8 * raw);
        row(size, "raw", raw, proxy, raw, None);
        row(size, "proxy", proxy, proxy, raw, None);
        row(size, "hop", hop, proxy, raw, Some(target));
        if receipts > 0.0 {
            row(size, "receipts", receipts, proxy, raw, Some((0.2 * raw).max(0.6 * proxy)));
        }
    }
}

fn row(size: usize, case: &str, rate: f64, proxy: f64, raw: f64, target: Option<f64>) {
    let verdict = target.map_or(String::new(), |target| {
        let met = if rate >= target { "met" } else { "MISSED" };
        format!("{target:>9.0} {met}")
    });
    let (of_proxy, of_raw) = (rate / proxy, rate / raw);
    println!("{size:>6} B  {case:<9} {rate:>12.0} {of_proxy:>18.2} {of_raw:>9.2} {verdict}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// The disk's yardstick.
fn raw(count: usize, size: usize) -> f64 {
    let home = tempfile::tempdir().unwrap();
    let mut file = std::fs::File::create(home.path().join("raw")).unwrap();
    let batch = vec![b'x'; WINDOW * size];
    let rounds = count.div_ceil(WINDOW);
    let start = Instant::now();
    for _ in 0..rounds {
        file.write_all(&batch).unwrap();
        file.sync_data().unwrap();
    }
    (rounds * WINDOW) as f64 / start.elapsed().as_secs_f64()
}

fn through_proxy(count: usize, size: usize) -> f64 {
    let home = tempfile::tempdir().unwrap();
    let out = format!("ipc://{}/out", home.path().display());
    let into = format!("tcp://127.0.0.1:{}", free_port());
    let mut proxy = role(&["--role", "proxy", "--from", &into, "--to", &out]);
    let rate = hop(&into, &out, count, size);
    proxy.kill().unwrap();
    proxy.wait().unwrap();
    rate
}

fn through_lifeboat(count: usize, size: usize) -> f64 {
    let home = Home::queue(
        "{name: in, socket: PULL, bind: \"tcp://127.0.0.1:*\"}",
        "{name: out, socket: PUSH}",
    );
    let lifeboat = home.start();
    let rate = hop(lifeboat.endpoint("work.in"), lifeboat.endpoint("work.out"), count, size);
    finish(lifeboat, &home).then_some(rate).expect("lifeboat did not end well")
}

fn receipts(count: usize, size: usize) -> f64 {
    let home = Home::queue(
        "{name: in, socket: ROUTER, protocol: Receipt, bind: \"tcp://127.0.0.1:*\"}",
        "{name: out, socket: PUSH}",
    );
    let lifeboat = home.start();
    let (count, size) = (count.to_string(), size.to_string());
    let to = lifeboat.endpoint("work.in").to_owned();
    let dealer = role(&["--role", "dealer", "--to", &to, "--count", &count, "--size", &size]);
    let rate = rate_of(dealer);
    finish(lifeboat, &home).then_some(rate).expect("lifeboat did not end well")
}

/// Says how well the commits grouped, and stops.
fn finish(lifeboat: Lifeboat, home: &Home) -> bool {
    let status = home.status();
    let per_sync = status.synced_records / status.syncs.max(1);
    println!("          ({per_sync} messages per sync, {} syncs)", status.syncs);
    lifeboat.stop().success()
}

/// One producer, one consumer, in order.
fn hop(into: &str, out: &str, count: usize, size: usize) -> f64 {
    let (count, size) = (count.to_string(), size.to_string());
    let pull = role(&["--role", "pull", "--from", out, "--count", &count]);
    let mut push = role(&["--role", "push", "--to", into, "--count", &count, "--size", &size]);
    let rate = rate_of(pull);
    assert!(push.wait().unwrap().success());
    rate
}

fn role(args: &[&str]) -> Child {
    let own = std::env::current_exe().unwrap();
    Command::new(own).args(args).stdout(Stdio::piped()).spawn().unwrap()
}

/// What a role printed: its rate.
fn rate_of(role: Child) -> f64 {
    let output = role.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn socket(context: &zmq::Context, kind: zmq::SocketType) -> zmq::Socket {
    let socket = context.socket(kind).unwrap();
    socket.set_sndhwm(100_000).unwrap();
    socket.set_rcvhwm(100_000).unwrap();
    socket.set_linger(60_000).unwrap();
    socket
}

fn proxy(from: &str, to: &str) {
    let context = zmq::Context::new();
    let (pull, push) = (socket(&context, zmq::PULL), socket(&context, zmq::PUSH));
    pull.bind(from).unwrap();
    push.bind(to).unwrap();
    let _ = zmq::proxy(&pull, &push);
}

fn push(to: &str, count: usize, size: usize) {
    let context = zmq::Context::new();
    let push = socket(&context, zmq::PUSH);
    push.connect(to).unwrap();
    let mut message = vec![b'x'; size];
    for at in 0..count as u64 {
        message[..8].copy_from_slice(&at.to_be_bytes());
        push.send(&message, 0).unwrap();
    }
}

fn pull(from: &str, count: usize) {
    let context = zmq::Context::new();
    let pull = socket(&context, zmq::PULL);
    pull.set_rcvtimeo(60_000).unwrap();
    pull.connect(from).unwrap();
    let mut message = zmq::Message::new();
    pull.recv(&mut message, 0).unwrap();
    let start = Instant::now();
    for at in 1..count as u64 {
        pull.recv(&mut message, 0).unwrap();
        assert_eq!(message[..8], at.to_be_bytes(), "out of order");
    }
    println!("{}", (count - 1) as f64 / start.elapsed().as_secs_f64());
}

fn dealer(to: &str, count: usize, size: usize) {
    let context = zmq::Context::new();
    let dealer = socket(&context, zmq::DEALER);
    dealer.set_rcvtimeo(60_000).unwrap();
    dealer.connect(to).unwrap();
    let message = vec![b'x'; size];
    let (mut sent, mut answered) = (0, 0);
    let start = Instant::now();
    while answered < count {
        while sent < count && sent - answered < WINDOW {
            dealer.send(&message, 0).unwrap();
            sent += 1;
        }
        let parts = dealer.recv_multipart(0).unwrap();
        assert_eq!(parts[0], b"200");
        answered += 1;
    }
    println!("{}", count as f64 / start.elapsed().as_secs_f64());
}
