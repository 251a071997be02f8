//! SIGKILL of the real process under load, again and again: nothing that was receipted is lost,
//! nothing comes that was not sent, and duplicates and order follow the rules.
//!
//! `LIFEBOAT_KILL_ROUNDS` sets the number of rounds, `LIFEBOAT_KILL_SEED` repeats a schedule.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::print_stdout)] // whoever runs the rig wants to see the figures

mod rig;
mod support;

use rig::checker::check;
use rig::report::Report;
use rig::run::{Blow, Plan, run};
use rig::schedule::{busy_rounds, rounds};
use rig::stage::Conduct;

/// Rounds within which a fault must be found.
const CONTROL_ROUNDS: usize = 4;

fn from_environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text:?} is no number")))
}

/// Two consumers, no stages, no rounds yet.
fn plan() -> Plan {
    let seed = from_environment("LIFEBOAT_KILL_SEED").unwrap_or_else(rand::random);
    let blow = Blow::Kill;
    let rounds = Vec::new();
    Plan { seed, rounds, consumers: 2, puller: false, blow, receipts: None, credit: None }
}

fn judge(what: &str, plan: &Plan) -> Report {
    println!("{what}: {} rounds, LIFEBOAT_KILL_SEED={}", plan.rounds.len(), plan.seed);
    let report = check(&run(plan));
    println!("{what}, LIFEBOAT_KILL_SEED={}:\n{report}", plan.seed);
    report
}

#[test]
fn nothing_is_lost_by_kill_9() {
    let mut plan = Plan { consumers: 3, puller: true, ..plan() };
    plan.rounds = rounds(plan.seed, from_environment("LIFEBOAT_KILL_ROUNDS").unwrap_or(12));
    assert_eq!(judge("kill -9", &plan).violations, []);
}

#[test]
#[ignore = "needs root: mounts a file system"]
fn nothing_is_lost_by_power_cuts_of_a_real_disk() {
    let mut plan = Plan { consumers: 3, puller: true, blow: Blow::PowerCut, ..plan() };
    plan.rounds = rounds(plan.seed, from_environment("LIFEBOAT_CUT_ROUNDS").unwrap_or(50));
    assert_eq!(judge("power cuts", &plan).violations, []);
}

#[test]
#[ignore = "needs root: mounts a file system"]
fn a_receipt_before_the_write_is_found_by_power_cuts() {
    let mut plan = Plan { receipts: Some(Conduct::Early), blow: Blow::PowerCut, ..plan() };
    plan.rounds = busy_rounds(plan.seed, CONTROL_ROUNDS);
    assert!(judge("receipts before the write", &plan).lost() > 0);
}

#[test]
fn a_stage_alone_breaks_no_rule() {
    let honest = Some(Conduct::Honest);
    let mut plan = Plan { receipts: honest, credit: honest, ..plan() };
    plan.rounds = busy_rounds(plan.seed, CONTROL_ROUNDS);
    assert_eq!(judge("honest stages", &plan).violations, []);
}

#[test]
fn a_receipt_before_the_write_is_found() {
    let mut plan = Plan { receipts: Some(Conduct::Early), ..plan() };
    plan.rounds = busy_rounds(plan.seed, CONTROL_ROUNDS);
    assert!(judge("receipts before the write", &plan).lost() > 0);
}

#[test]
fn a_settlement_before_the_delivery_is_found() {
    let mut plan = Plan { credit: Some(Conduct::Early), ..plan() };
    plan.rounds = busy_rounds(plan.seed, CONTROL_ROUNDS);
    assert!(judge("settlements before the delivery", &plan).lost() > 0);
}
