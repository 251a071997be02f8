//! One message outstanding: the time to its receipt, beside what cannot be avoided, one fdatasync
//! of as many bytes into an allocated file and one echo of libzmq's.

use std::time::Duration;

use crate::raw;
use crate::roles::{free_port, start, times};
use crate::support::Home;
use crate::table::{at_most, median};

const SIZE: usize = 1024;
/// Messages of one run.
const COUNT: usize = 2000;
/// Of the sum of the yardsticks.
const TARGET: f64 = 1.4;

pub(crate) fn compare(rounds: usize) {
    println!("latency   case        p50 us (median of {rounds})   p99 us   of both   target");
    let mut runs = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        runs[0].push(quantiles(raw::sync_times(COUNT, SIZE)));
        runs[1].push(quantiles(echo()));
        runs[2].push(quantiles(receipts()));
    }
    let medians = runs.map(|run| {
        let (p50, p99) = run.into_iter().unzip();
        (median(p50), median(p99))
    });
    let [(sync, _), (echoed, _), (receipt, _)] = medians;
    let of_both = receipt / (sync + echoed);
    for (case, (p50, p99)) in ["fdatasync", "echo", "receipt"].into_iter().zip(medians) {
        println!("{SIZE:>6} B  {case:<10} {p50:>12.0} {p99:>19.0}");
    }
    println!("{:>40} {of_both:>19.2} {TARGET:>8.2} {}", "", at_most(of_both, TARGET));
}

/// The middle and the 99th of a hundred, in microseconds.
pub(crate) fn quantiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1e6;
    (at(50), at(99))
}

fn echo() -> Vec<Duration> {
    let at = format!("tcp://127.0.0.1:{}", free_port());
    let _echo = start(&[&"echo", &at]);
    times(&start(&[&"ping", &at, &COUNT, &SIZE]).printed())
}

fn receipts() -> Vec<Duration> {
    let home = Home::queue(
        "{name: in, socket: ROUTER, protocol: Receipt, bind: \"tcp://127.0.0.1:*\"}",
        "{name: out, socket: PUSH}",
    );
    let lifeboat = home.start();
    let times = times(&start(&[&"ping", &lifeboat.endpoint("work.in"), &COUNT, &SIZE]).printed());
    assert!(lifeboat.stop().success());
    times
}
