//! One message outstanding while crowds of every kind come and go: the time to its receipt, beside
//! the same without them.
//!
//! Each second: 2,000 connections at one time, beyond what the socket lets in, and 500 producers
//! that connect together under one routing id, send a message each and leave. All the while: a
//! connection that stopped at each byte of its handshake, opened again when it is cut off, and ten
//! producers that read no receipts.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::latency::quantiles;
use crate::roles::{start, times};
use crate::support::siege::{churn, deaf_producers, loris, raise_descriptors, storm};
use crate::support::{Home, wait_for};
use crate::table::{at_most, median};

const SIZE: usize = 1024;
/// Messages of one run: a few seconds, so that several waves fall into it.
const COUNT: usize = 15_000;
const CHURN: usize = 2000;
const STORM: usize = 500;
const DEAF: usize = 10;
/// A wave of each kind comes after so long.
const WAVE: Duration = Duration::from_secs(1);
/// After so long the sidecar has cut off what does not finish its handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Of the 99th of a hundred, against that without a siege.
const TARGET: f64 = 2.0;

pub(crate) fn compare(rounds: usize) {
    println!("siege     case        p50 us (median of {rounds})   p99 us   of calm   target");
    let mut runs = [const { Vec::new() }; 2];
    for _ in 0..rounds {
        let [calm, besieged] = run();
        runs[0].push(calm);
        runs[1].push(besieged);
    }
    let [calm, besieged] = runs.map(|run| {
        let (p50, p99) = run.into_iter().unzip();
        (median(p50), median(p99))
    });
    for (case, (p50, p99)) in [("calm", calm), ("besieged", besieged)] {
        println!("{SIZE:>6} B  {case:<10} {p50:>12.0} {p99:>19.0}");
    }
    let of_calm = besieged.1 / calm.1;
    println!("{:>40} {of_calm:>19.2} {TARGET:>8.2} {}", "", at_most(of_calm, TARGET));
}

/// The quantiles of one queue before its siege and during it.
fn run() -> [(f64, f64); 2] {
    let home = Home::queue(
        "{name: in, socket: ROUTER, protocol: Receipt, bind: \"tcp://127.0.0.1:*\"}, \
         {name: crowded, socket: PULL, bind: \"tcp://127.0.0.1:*\"}, \
         {name: stormed, socket: ROUTER, protocol: Receipt, bind: \"tcp://127.0.0.1:*\"}",
        "{name: out, socket: PUSH}",
    );
    let lifeboat = home.start();
    let [quiet, crowded, stormed] =
        ["in", "crowded", "stormed"].map(|name| lifeboat.endpoint(&format!("work.{name}")));
    let ping = || quantiles(times(&start(&[&"ping", &quiet, &COUNT, &SIZE]).printed()));
    let calm = ping();
    let siege = start(&[&"siege", &crowded, &stormed]);
    wait_for("the siege to be full", || {
        (lifeboat.ended("crowded", "too_many_connections") > 0).then_some(())
    });
    let besieged = ping();
    drop(siege);
    assert!(lifeboat.stop().success());
    [calm, besieged]
}

/// Besieges two sockets until it is killed.
pub(crate) fn besiege(crowded: &str, stormed: &str) {
    raise_descriptors();
    let _deaf = deaf_producers(stormed, DEAF);
    loop {
        // Held until the sidecar has cut them off.
        let _slow = loris(stormed);
        let cut_off = Instant::now() + HANDSHAKE;
        while Instant::now() < cut_off {
            let next = Instant::now() + WAVE;
            churn(crowded, CHURN);
            storm(stormed, STORM);
            sleep(next.saturating_duration_since(Instant::now()));
        }
    }
}
