//! A backlog of 4 GiB: how much memory it takes, how long a start on it, how fast it drains, and
//! whether producers notice.

use std::time::{Duration, Instant};

use crate::hop::through_proxy;
use crate::roles::{Process, start};
use crate::support::{Home, Lifeboat};
use crate::table::{at_least, at_most, median};

const SIZE: usize = 1024;
/// Messages of the backlog.
const BACKLOG: usize = 4 << 20;
/// Messages published while it drains, and as many for comparison.
const PUBLISHED: usize = 1 << 20;
/// `sidecar.memory` when the file says nothing, in MiB.
const MEMORY: f64 = 96.0;

pub(crate) fn compare(rounds: usize) {
    println!("backlog   4 GiB of {SIZE} B messages (median of {rounds})");
    let mut runs = [const { Vec::new() }; 5];
    for _ in 0..rounds {
        for (values, value) in runs.iter_mut().zip(run()) {
            values.push(value);
        }
    }
    let [memory, first, drained, alone, beside] = runs.map(median);
    let kept = beside / alone;
    println!("          peak memory        {memory:>8.1} MiB  {}", at_most(memory, MEMORY));
    println!("          start to 1st msg   {first:>8.3} s    {}", at_most(first, 0.3));
    println!("          drain, of proxy    {drained:>8.2}      {}", at_least(drained, 0.7));
    println!("          publishing alone   {alone:>8.0} msg/s");
    println!("          while draining     {beside:>8.0} msg/s");
    println!("          kept               {kept:>8.2}      {}", at_least(kept, 0.7));
}

/// Peak memory (MiB), start to the first message (s), drain rate of the proxy's, and the rates of
/// publishing alone and while it drains.
fn run() -> [f64; 5] {
    let home = Home::sized(
        "8Gi",
        "{name: in, socket: PULL, bind: \"tcp://127.0.0.1:*\"}",
        "{name: out, socket: PUSH}",
    );
    let lifeboat = home.start();
    let (since, push) = publish(&home, &lifeboat, 0, PUBLISHED);
    let alone = PUBLISHED as f64 / since.as_secs_f64();
    push.printed();
    publish(&home, &lifeboat, PUBLISHED, BACKLOG - PUBLISHED).1.printed();
    let peak = lifeboat.peak_memory();
    lifeboat.kill();

    let (lifeboat, first) = first_message(&home);
    let into = lifeboat.endpoint("work.in").to_owned();
    let pull = start(&[&"drain", &lifeboat.endpoint("work.out"), &(BACKLOG / 2)]);
    let drained = pull.rate();
    // More than there is: it drains as long as the other end publishes.
    let pull = start(&[&"drain", &lifeboat.endpoint("work.out"), &(2 * BACKLOG)]);
    let (since, push) = publish_to(&home, &into, BACKLOG, PUBLISHED);
    let beside = PUBLISHED as f64 / since.as_secs_f64();
    push.printed();
    drop(pull);
    let peak = peak.max(lifeboat.peak_memory());
    assert!(lifeboat.stop().success());
    let proxy = through_proxy(BACKLOG / 4, SIZE);
    [peak as f64 / f64::from(1 << 20), first.as_secs_f64(), drained / proxy, alone, beside]
}

fn publish(home: &Home, lifeboat: &Lifeboat, stored: usize, count: usize) -> (Duration, Process) {
    publish_to(home, lifeboat.endpoint("work.in"), stored, count)
}

/// The time until all are stored that one producer sends, beside what is.
fn publish_to(home: &Home, into: &str, stored: usize, count: usize) -> (Duration, Process) {
    let end = |home: &Home| home.stream("work").durable_end;
    let start_at = Instant::now();
    let push = start(&[&"push", &into, &count, &SIZE]);
    while end(home) < (stored + count) as u64 {
        std::thread::sleep(Duration::from_millis(20));
    }
    (start_at.elapsed(), push)
}

/// Starts the queue with a consumer waiting for it: the time until that has its first message.
fn first_message(home: &Home) -> (Lifeboat, Duration) {
    let context = zmq::Context::new();
    let pull = context.socket(zmq::PULL).unwrap();
    pull.set_reconnect_ivl(1).unwrap();
    pull.set_rcvhwm(1).unwrap();
    pull.set_rcvtimeo(60_000).unwrap();
    pull.connect(&format!("ipc://{}/sockets/work.out", home.data().display())).unwrap();
    let start = Instant::now();
    let lifeboat = home.start();
    pull.recv_bytes(0).unwrap();
    (lifeboat, start.elapsed())
}
