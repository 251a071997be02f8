//! Everything acknowledged: one producer with 512 receipts outstanding, one consumer with a credit
//! of 1,024 that acknowledges 256 records at a time, beside libzmq's proxy, which acknowledges
//! nothing.

use crate::hop::{SIZES, finish, messages, through_proxy};
use crate::roles::start;
use crate::support::Home;
use crate::table::{at_least, median};

/// Of the proxy's rate, by size.
const TARGETS: [f64; 3] = [0.40, 0.60, 0.45];
/// Messages that share a sync, at least.
const GROUPED: f64 = 100.0;

pub(crate) fn compare(rounds: usize) {
    println!("acked     case       msg/s (median of {rounds})   of proxy   target   a sync");
    for (size, target) in SIZES.into_iter().zip(TARGETS) {
        let count = messages(size) / 2;
        let (mut proxied, mut acked, mut grouped) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            proxied.push(through_proxy(count, size));
            let (rate, records) = through_lifeboat(count, size);
            acked.push(rate);
            grouped.push(records as f64);
        }
        let (proxy, acked, grouped) = (median(proxied), median(acked), median(grouped));
        println!("{size:>6} B  proxy     {proxy:>12.0}");
        println!(
            "{size:>6} B  acked     {acked:>12.0} {:>18.2} {target:>9.2} {} {grouped:>6.0} {}",
            acked / proxy,
            at_least(acked / proxy, target),
            at_least(grouped, GROUPED),
        );
    }
}

/// Messages a second, and records that shared a sync.
fn through_lifeboat(count: usize, size: usize) -> (f64, u64) {
    let home = Home::queue(
        "{name: in, socket: ROUTER, protocol: Receipt, bind: \"tcp://127.0.0.1:*\"}",
        "{name: out, socket: ROUTER, protocol: Credit, maxInFlight: 1024}",
    );
    let lifeboat = home.start();
    let consumer = start(&[&"credit", &lifeboat.endpoint("work.out"), &count]);
    let producer = start(&[&"dealer", &lifeboat.endpoint("work.in"), &count, &size]);
    let rate = consumer.rate();
    producer.printed();
    (rate, finish(lifeboat, &home))
}
