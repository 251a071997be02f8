//! The rules about suspects, each by itself.

use std::time::Duration;

use super::bench::{Bench, EPOCH, SECOND, key};
use super::*;
use crate::delivery::JournalOp;

fn suspect(attempt: u32, failures: u32) -> Tries {
    Tries { attempt, failures, suspect: true }
}

fn marked(seq: u64, attempt: u32, failures: u32) -> JournalOp {
    JournalOp::Attempt { seq, tries: suspect(attempt, failures) }
}

#[test]
fn what_a_broken_connection_held_is_journaled_as_suspect_uncounted_and_goes_out_one_by_one() {
    let mut bench = Bench::new(100);
    bench.grant(1, 3);
    bench.crash(1);
    assert_eq!(bench.effects.journal, [marked(0, 1, 0), marked(1, 1, 0), marked(2, 1, 0)]);
    assert_eq!(bench.leases.counters().suspected, 3);
    bench.effects.clear();
    bench.credit(2, 10);
    for seq in 0..3 {
        assert_eq!(bench.deliver(2, 10), [(seq, 2)]);
        assert_eq!(bench.grant(2, 10), [], "nothing beside it");
        bench.ack(&[key(seq, 2)]);
    }
    assert_eq!(bench.effects.journal[0], marked(0, 2, 0), "until the verdict it is one");
    assert_eq!(bench.grant(2, 2), [(3, 1), (4, 1)]);
}

#[test]
fn a_suspect_that_was_alone_when_its_connection_broke_has_failed() {
    let mut bench = Bench::new(100);
    bench.grant(1, 1);
    for (connection, attempt, failures) in [(2, 2, 1), (3, 3, 2)] {
        bench.crash(connection - 1);
        bench.pass(10 * SECOND);
        bench.credit(connection, 10);
        assert_eq!(bench.deliver(connection, 1), [(0, attempt)]);
        bench.effects.clear();
        assert_eq!(bench.figures().parking, 0, "{failures} failures to come");
    }
    bench.crash(3);
    assert_eq!(bench.effects.journal, [marked(0, 3, 2)]);
    bench.effects.clear();
    bench.pass(10 * SECOND);
    bench.credit(4, 10);
    bench.deliver(4, 1);
    bench.crash(4);
    let park = Park { seq: 0, tries: suspect(4, 3), reason: ParkReason::Attempts };
    assert_eq!(bench.parks(), [park]);
}

#[test]
fn a_failed_suspect_waits_its_backoff_and_new_records_go_on_meanwhile() {
    let mut bench = Bench::new(100);
    bench.grant(1, 1);
    bench.crash(1);
    bench.credit(2, 4);
    bench.deliver(2, 1);
    bench.crash(2);
    bench.credit(3, 4);
    assert_eq!(bench.grant(3, 2), [(1, 1), (2, 1)]);
    bench.pass(SECOND);
    assert_eq!(bench.grant(3, 2), [], "a window that is not empty drains");
    bench.ack(&[key(1, 1), key(2, 1)]);
    assert_eq!(bench.grant(3, 2), [(0, 3)]);
}

#[test]
fn a_disconnect_in_good_order_marks_nothing() {
    let mut bench = Bench::new(100);
    bench.grant(1, 2);
    bench.credit(1, 0);
    bench.crash(1);
    assert_eq!(bench.effects.journal, [], "after a credit of 0");
    bench.credit(2, 2);
    assert_eq!(bench.deliver(2, 2), [(0, 2), (1, 2)], "together");
    bench.effects.clear();
    bench.leave(2);
    assert_eq!(bench.effects.journal, [], "quiesced");
    bench.credit(3, 2);
    assert_eq!(bench.deliver(3, 2), [(0, 3), (1, 3)]);
    bench.crash(3);
    bench.credit(4, 2);
    bench.deliver(4, 1);
    bench.effects.clear();
    bench.leave(4);
    assert_eq!(bench.effects.journal, [], "a probe that ends in good order is no failure");
    bench.credit(5, 2);
    assert_eq!(bench.deliver(5, 2), [(0, 5)], "and leaves a suspect behind");
}

#[test]
fn what_was_not_sent_is_no_suspect() {
    let mut bench = Bench::new(1);
    bench.grant(1, 1);
    bench.nack(key(0, 1), Some(Duration::ZERO));
    bench.grant(1, 1);
    bench.effects.clear();
    bench.crash(1);
    assert_eq!((&bench.effects.journal[..], bench.effects.wake), (&[][..], true));
    assert_eq!(bench.leases.counters().suspected, 0);
    bench.credit(2, 1);
    assert_eq!(bench.grant(2, 1), [(0, 3)]);
}

#[test]
fn one_connection_probes_and_the_others_go_on() {
    let mut bench = Bench::new(100);
    bench.grant(1, 2);
    bench.crash(1);
    for connection in [2, 3, 4] {
        bench.credit(connection, 2);
    }
    assert_eq!(bench.deliver(2, 2), [(0, 2)]);
    assert_eq!(bench.deliver(3, 2), [(2, 1), (3, 1)]);
    assert_eq!(bench.deliver(4, 2), [(4, 1), (5, 1)]);
    bench.effects.clear();
    bench.crash(2);
    assert!(bench.effects.wake);
    assert_eq!(bench.deliver(3, 2), [], "full");
    bench.ack(&[key(2, 1)]);
    assert_eq!(bench.deliver(3, 2), [], "it drains to probe");
    bench.ack(&[key(4, 1)]);
    assert_eq!(bench.deliver(4, 2), [(6, 1)], "the other goes on");
    bench.effects.clear();
    bench.ack(&[key(3, 1)]);
    assert!(bench.effects.wake, "whoever acknowledged");
    assert_eq!(bench.deliver(3, 2), [(1, 2)], "it has failed less");
    bench.ack(&[key(1, 2)]);
    assert_eq!(bench.deliver(3, 2), [(7, 1), (8, 1)], "the other one waits its backoff");
}

#[test]
fn an_empty_connection_probes_instead_of_one_that_drains() {
    let mut bench = Bench::new(100);
    bench.credit(2, 2);
    bench.grant(1, 1);
    bench.grant(2, 1);
    bench.crash(1);
    assert_eq!(bench.grant(2, 2), [], "it drains");
    bench.credit(3, 2);
    bench.effects.clear();
    assert_eq!(bench.grant(3, 2), [(0, 2)]);
    assert!(bench.effects.wake);
    assert_eq!(bench.grant(2, 2), [(2, 1)], "it goes on");
}

#[test]
fn a_late_ack_of_the_last_suspect_ends_the_draining() {
    let mut bench = Bench::new(100);
    bench.credit(2, 2);
    bench.grant(1, 1);
    bench.grant(2, 1);
    bench.crash(1);
    assert_eq!(bench.grant(2, 2), [], "it drains");
    bench.effects.clear();
    bench.ack(&[key(0, 1)]);
    assert!(bench.effects.wake);
    assert_eq!(bench.grant(2, 2), [(2, 1)]);
}

/// Connections 2 and 3 hold a record each, and 2 drains to probe the one that 1 crashed with.
fn connection_2_drains() -> Bench {
    let mut bench = Bench::new(100);
    bench.credit(2, 2);
    bench.credit(3, 2);
    bench.grant(1, 1);
    bench.grant(2, 1);
    bench.grant(3, 1);
    bench.crash(1);
    assert_eq!(bench.grant(2, 2), [], "it drains");
    bench
}

#[test]
fn a_connection_that_stops_leaves_the_probe_to_another() {
    let mut bench = connection_2_drains();
    assert_eq!(bench.grant(3, 1), [(3, 1)]);
    bench.effects.clear();
    bench.credit(2, 0);
    assert!(bench.effects.wake);
    bench.ack(&[key(2, 1), key(3, 1)]);
    assert_eq!(bench.deliver(3, 2), [(0, 2)]);
}

#[test]
fn a_connection_that_has_drained_and_asks_for_nothing_leaves_the_probe_to_another() {
    let mut bench = connection_2_drains();
    bench.effects.clear();
    bench.ack(&[key(1, 1)]);
    assert!(bench.effects.wake);
    assert_eq!(bench.grant(3, 2), [], "now this one drains");
    bench.ack(&[key(2, 1)]);
    assert_eq!(bench.deliver(3, 2), [(0, 2)]);
}

#[test]
fn a_nack_clears_the_mark_and_an_expiry_does_not() {
    let mut bench = Bench::new(2);
    bench.grant(1, 2);
    bench.crash(1);
    bench.credit(2, 2);
    assert_eq!(bench.deliver(2, 2), [(0, 2)]);
    bench.nack(key(0, 2), Some(Duration::ZERO));
    assert_eq!(bench.deliver(2, 2), [(1, 2)]);
    bench.pass(30 * SECOND);
    assert_eq!(bench.deliver(2, 2), [(0, 3)]);
    bench.ack(&[key(0, 3)]);
    bench.pass(SECOND);
    bench.effects.clear();
    assert_eq!(bench.deliver(2, 2), [(1, 3)]);
    assert_eq!(bench.effects.journal, [marked(1, 3, 1)]);
}

#[test]
fn a_connection_that_let_a_lease_expire_says_nothing_by_breaking() {
    let mut bench = Bench::new(2);
    bench.grant(1, 2);
    bench.crash(1);
    bench.credit(2, 2);
    bench.deliver(2, 1);
    bench.pass(30 * SECOND);
    assert_eq!(bench.deliver(2, 1), [(1, 2)]);
    bench.effects.clear();
    bench.crash(2);
    assert_eq!(bench.effects.journal, [], "the first one may have been at work still");
    bench.credit(3, 2);
    assert_eq!(bench.deliver(3, 2), [(1, 3)]);
}

#[test]
fn marks_survive_a_restart() {
    let attempts =
        [(0, suspect(1, 0)), (2, suspect(4, 2)), (3, Tries { suspect: false, ..suspect(2, 0) })];
    let recovered = Recovered {
        epoch: EPOCH,
        epoch_start: 5,
        attempts: attempts.into_iter().collect(),
        ..Recovered::default()
    };
    let mut bench = Bench::recover(5, recovered);
    assert_eq!(bench.deliver(1, 4), [(0, 2)]);
    bench.ack(&[key(0, 2)]);
    assert_eq!(bench.deliver(1, 4), [(2, 5)]);
    bench.crash(1);
    assert_eq!(bench.parks()[0].tries, suspect(5, 3));
    bench.credit(2, 4);
    assert_eq!(bench.deliver(2, 4), [(3, 3), (1, 1), (4, 1)]);
}
