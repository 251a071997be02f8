//! A hop that stores everything, without and with receipts, beside libzmq's proxy and the disk.
//!
//! - `raw`: 512 messages' bytes appended to one growing file per fdatasync, nothing else;
//! - `proxy`: libzmq's own `zmq_proxy`, PULL on tcp, PUSH on ipc, which stores nothing;
//! - `hop`: `lifeboat run`, the same sockets, every message synced before it is handed on;
//! - `receipts`: a DEALER with 512 messages outstanding towards `lifeboat run`, no consumer.

use crate::raw;
use crate::roles::{free_port, start};
use crate::support::{Home, Lifeboat};
use crate::table::{at_least, median};

pub(crate) const SIZES: [usize; 3] = [100, 1024, 16 << 10];
/// Bytes that one run of one case moves, about.
const RUN_BYTES: usize = 512 << 20;
/// No run has more messages, so that small ones do not take for ever.
const RUN_MESSAGES: usize = 3_000_000;

pub(crate) fn compare(rounds: usize) {
    println!("hop       case       msg/s (median of {rounds})   of proxy   of raw   target");
    for size in SIZES {
        let count = messages(size);
        let mut rates = [const { Vec::new() }; 4];
        for _ in 0..rounds {
            rates[0].push(raw::append(count, size));
            rates[1].push(through_proxy(count, size));
            rates[2].push(through_lifeboat(count, size));
            if size == 1024 {
                rates[3].push(receipts(count / 2, size));
            }
        }
        let [raw, proxy, hop, receipts] = rates.map(median);
        row(size, "raw", raw, proxy, raw, None);
        row(size, "proxy", proxy, proxy, raw, None);
        row(size, "hop", hop, proxy, raw, Some((1.25 * proxy).min(0.8 * raw)));
        if receipts > 0.0 {
            row(size, "receipts", receipts, proxy, raw, Some((0.2 * raw).max(0.6 * proxy)));
        }
    }
}

fn row(size: usize, case: &str, rate: f64, proxy: f64, raw: f64, target: Option<f64>) {
    let verdict =
        target.map_or(String::new(), |target| format!("{target:>9.0} {}", at_least(rate, target)));
    let (of_proxy, of_raw) = (rate / proxy, rate / raw);
    println!("{size:>6} B  {case:<9} {rate:>12.0} {of_proxy:>18.2} {of_raw:>9.2} {verdict}");
}

/// How many of this size a run has.
pub(crate) fn messages(size: usize) -> usize {
    (RUN_BYTES / size).min(RUN_MESSAGES)
}

/// Messages a second through libzmq's proxy.
pub(crate) fn through_proxy(count: usize, size: usize) -> f64 {
    let home = tempfile::tempdir().unwrap();
    let out = format!("ipc://{}/out", home.path().display());
    let into = format!("tcp://127.0.0.1:{}", free_port());
    let _proxy = start(&[&"proxy", &into, &out]);
    hop(&into, &out, count, size)
}

fn through_lifeboat(count: usize, size: usize) -> f64 {
    let home = Home::queue(
        "{name: in, socket: PULL, bind: \"tcp://127.0.0.1:*\"}",
        "{name: out, socket: PUSH}",
    );
    let lifeboat = home.start();
    let rate = hop(lifeboat.endpoint("work.in"), lifeboat.endpoint("work.out"), count, size);
    finish(lifeboat, &home);
    rate
}

fn receipts(count: usize, size: usize) -> f64 {
    let home = Home::queue(
        "{name: in, socket: ROUTER, protocol: Receipt, bind: \"tcp://127.0.0.1:*\"}",
        "{name: out, socket: PUSH}",
    );
    let lifeboat = home.start();
    let rate = start(&[&"dealer", &lifeboat.endpoint("work.in"), &count, &size]).rate();
    finish(lifeboat, &home);
    rate
}

/// Stops it and says how well the commits grouped: messages a sync.
pub(crate) fn finish(lifeboat: Lifeboat, home: &Home) -> u64 {
    let status = home.status();
    let grouped = status.synced_records / status.syncs.max(1);
    println!("          ({grouped} messages per sync, {} syncs)", status.syncs);
    assert!(lifeboat.stop().success(), "lifeboat did not end well");
    grouped
}

/// One producer, one consumer, in order.
fn hop(into: &str, out: &str, count: usize, size: usize) -> f64 {
    let pull = start(&[&"pull", &out, &count]);
    let push = start(&[&"push", &into, &count, &size]);
    let rate = pull.rate();
    push.printed();
    rate
}
