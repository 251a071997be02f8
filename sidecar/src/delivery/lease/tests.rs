//! Each rule by itself, but those about suspects.

use std::time::Duration;

use lifeboat_log::ranges::RangeSet;

use super::bench::{Bench, EPOCH, SECOND, flat, key};
use super::*;
use crate::delivery::{JournalOp, LeaseKey};

fn tries(attempt: u32, failures: u32) -> Tries {
    Tries { attempt, failures, suspect: false }
}

fn tried(seq: u64, attempt: u32, failures: u32) -> JournalOp {
    JournalOp::Attempt { seq, tries: tries(attempt, failures) }
}

#[test]
fn a_window_is_the_smaller_of_credit_and_max_in_flight() {
    let mut bench = Bench::new(100);
    assert_eq!(bench.grant(1, 100), [(0, 1), (1, 1), (2, 1), (3, 1)]);
    bench.credit(2, 2);
    assert_eq!(bench.grant(2, 100), [(4, 1), (5, 1)]);
    assert_eq!(bench.grant(2, 100), []);
    assert_eq!(bench.grant(3, 100), [], "no credit yet");
    bench.ack(&[key(4, 1)]);
    assert_eq!(bench.grant(2, 100), [(6, 1)]);
    bench.credit(2, 0);
    bench.ack(&[key(5, 1)]);
    assert_eq!(bench.grant(2, 100), []);
    assert_eq!(bench.figures().in_flight, 5);
}

#[test]
fn only_published_records_are_granted_and_no_more_than_asked_for() {
    let mut bench = Bench::new(3);
    assert_eq!(bench.grant(1, 2), [(0, 1), (1, 1)]);
    assert_eq!(bench.grant(1, 2), [(2, 1)]);
    bench.published_end = 4;
    assert_eq!(bench.grant(1, 2), [(3, 1)]);
}

#[test]
fn one_message_of_acks_is_one_journal_range() {
    let mut bench = Bench::new(100);
    bench.grant(1, 3);
    let outcome = bench.ack(&[key(0, 1), key(1, 1), key(2, 1)]);
    assert_eq!(outcome, AckOutcome { settled: 3, ..AckOutcome::default() });
    assert_eq!(bench.effects.journal, [JournalOp::Settled(0..3)]);
    assert_eq!((bench.figures().cursor, bench.figures().in_flight), (3, 0));
}

#[test]
fn acks_of_their_own_that_follow_each_other_are_one_journal_range_too() {
    let mut bench = Bench::new(100);
    bench.grant(1, 4);
    for seq in [0, 1, 3, 2] {
        bench.ack(&[key(seq, 1)]);
    }
    assert_eq!(bench.effects.journal, [0..2, 3..4, 2..3].map(JournalOp::Settled));
}

#[test]
fn the_cursor_waits_for_the_oldest() {
    let mut bench = Bench::new(100);
    bench.grant(1, 4);
    bench.ack(&[key(2, 1), key(3, 1)]);
    assert_eq!((bench.figures().cursor, bench.figures().oldest_unsettled), (0, Some(0)));
    bench.ack(&[key(0, 1)]);
    assert_eq!(bench.figures().cursor, 1);
    bench.ack(&[key(1, 1)]);
    assert_eq!((bench.figures().cursor, bench.figures().unsettled), (4, 96));
}

#[test]
fn a_lease_that_runs_out_is_a_failure_and_comes_again_after_the_backoff() {
    let mut bench = Bench::new(1);
    bench.grant(1, 1);
    assert_eq!(bench.leases.next_deadline(), Some(bench.now + 30 * SECOND));
    bench.pass(29 * SECOND);
    assert_eq!(bench.figures().in_flight, 1);
    bench.pass(SECOND);
    assert_eq!(bench.figures().in_flight, 0);
    assert_eq!(bench.effects.journal, [tried(0, 1, 1)]);
    assert_eq!(bench.grant(1, 1), []);
    assert_eq!(bench.leases.next_deadline(), Some(bench.now + SECOND));
    bench.pass(SECOND);
    assert_eq!(bench.deliver(1, 1), [(0, 2)]);
    bench.pass(30 * SECOND);
    assert_eq!(bench.leases.next_deadline(), Some(bench.now + 10 * SECOND));
    assert_eq!(bench.leases.counters().expired, 2);
}

#[test]
fn what_is_due_goes_before_what_is_new() {
    let mut bench = Bench::new(100);
    bench.grant(1, 4);
    bench.nack(key(3, 1), Some(Duration::ZERO));
    bench.nack(key(1, 1), Some(Duration::ZERO));
    assert_eq!(bench.grant(1, 4), [(1, 2), (3, 2)]);
    bench.ack(&[key(0, 1)]);
    assert_eq!(bench.grant(1, 4), [(4, 1)]);
}

#[test]
fn a_second_attempt_waits_for_its_sync_and_its_lease_starts_there() {
    let mut bench = Bench::new(1);
    bench.grant(1, 1);
    bench.nack(key(0, 1), Some(Duration::ZERO));
    bench.effects.clear();
    let mut grants = Vec::new();
    bench.leases.grant(1, bench.now, 1, 1, &mut grants, &mut bench.effects);
    assert!(!grants[0].is_ready());
    assert_eq!(bench.effects.journal, [tried(0, 2, 1)]);
    assert_eq!(bench.leases.next_deadline(), None);
    assert!(!bench.nack(key(0, 2), None), "it has not been sent");

    bench.pass(5 * SECOND);
    let mut ready = Vec::new();
    bench.leases.confirm(&grants[0], bench.now, &mut ready);
    assert_eq!(ready, grants);
    assert_eq!(bench.leases.next_deadline(), Some(bench.now + 30 * SECOND));
    assert_eq!(bench.leases.counters().redelivered, 1);
    ready.clear();
    bench.leases.confirm(&grants[0], bench.now, &mut ready);
    assert_eq!(ready, [], "a grant is confirmed once");
}

#[test]
fn a_grant_whose_connection_left_before_the_sync_is_not_sent() {
    let mut bench = Bench::new(3);
    bench.grant(1, 3);
    bench.leave(1);
    bench.credit(2, 10);
    let mut grants = Vec::new();
    bench.leases.grant(2, bench.now, 3, 10, &mut grants, &mut bench.effects);
    assert_eq!(grants, [Grant { seqs: 0..3, attempt: 2 }]);
    bench.ack(&[key(1, 1)]);
    let mut ready = Vec::new();
    bench.leases.confirm(&grants[0], bench.now, &mut ready);
    assert_eq!(flat(&ready), [(0, 2), (2, 2)], "without what was settled meanwhile");

    bench.leave(2);
    bench.credit(3, 10);
    assert_eq!(bench.grant(3, 10), [(0, 3), (2, 3)]);
    bench.leave(3);
    ready.clear();
    bench.leases.confirm(&Grant { seqs: 0..1, attempt: 3 }, bench.now, &mut ready);
    assert_eq!(ready, []);
}

#[test]
fn an_orderly_disconnect_returns_leases_uncounted_and_due() {
    let mut bench = Bench::new(100);
    bench.credit(2, 1);
    bench.grant(1, 3);
    bench.grant(2, 1);
    bench.effects.clear();
    bench.leave(1);
    assert_eq!(bench.effects.journal, []);
    assert_eq!(bench.figures().in_flight, 1);
    bench.credit(1, 100);
    assert_eq!(bench.grant(1, 100), [(0, 2), (1, 2), (2, 2), (4, 1)]);
    assert_eq!(bench.effects.journal, [tried(0, 2, 0), tried(1, 2, 0), tried(2, 2, 0)]);
}

#[test]
fn a_late_ack_settles_and_is_counted() {
    let mut bench = Bench::new(2);
    bench.grant(1, 2);
    bench.pass(30 * SECOND);
    assert_eq!(
        bench.ack(&[key(0, 1)]),
        AckOutcome { settled: 1, late: 1, ..AckOutcome::default() }
    );
    bench.pass(SECOND);
    assert_eq!(bench.deliver(1, 2), [(1, 2)]);
    assert_eq!(
        bench.ack(&[key(1, 1)]),
        AckOutcome { settled: 1, late: 1, ..AckOutcome::default() }
    );
    assert_eq!(bench.figures().in_flight, 0);
    assert_eq!(bench.leases.counters().late_acks, 2);
}

#[test]
fn a_repeated_ack_changes_nothing_and_is_counted() {
    let mut bench = Bench::new(2);
    bench.grant(1, 2);
    let outcome = bench.ack(&[key(0, 1), key(0, 1)]);
    assert_eq!(outcome, AckOutcome { settled: 1, repeated: 1, ..AckOutcome::default() });
    bench.effects.clear();
    bench.ack(&[key(0, 1)]);
    assert_eq!(bench.effects.journal, []);
    assert_eq!(bench.leases.counters().repeated_acks, 2);
}

#[test]
fn an_ack_from_an_earlier_boot_settles_what_this_one_has_not_handed_out() {
    let mut bench = Bench::new(5);
    let earlier = LeaseKey { epoch: EPOCH - 1, seq: 1, attempt: 4 };
    assert_eq!(bench.ack(&[earlier]), AckOutcome { settled: 1, late: 1, ..AckOutcome::default() });
    assert_eq!(bench.figures().delivered_end, 0);
    assert_eq!(bench.ack(&[LeaseKey { seq: 0, ..earlier }]).settled, 1);
    assert_eq!((bench.figures().cursor, bench.figures().delivered_end), (2, 2));
    assert_eq!(bench.grant(1, 2), [(2, 1), (3, 1)]);
}

#[test]
fn acks_of_what_the_log_does_not_have_are_refused() {
    let recovered = Recovered { epoch: EPOCH, epoch_start: 5, ..Recovered::default() };
    let mut bench = Bench::recover(10, recovered);
    let earlier = |seq| LeaseKey { epoch: EPOCH - 1, seq, attempt: 1 };
    let later = LeaseKey { epoch: EPOCH + 1, seq: 0, attempt: 1 };
    let outcome = bench.ack(&[key(10, 1), earlier(5), earlier(10), later, earlier(4), key(9, 1)]);
    assert_eq!(outcome, AckOutcome { settled: 2, late: 2, refused: 4, repeated: 0 });
    assert_eq!(bench.effects.journal, [4..5, 9..10].map(JournalOp::Settled));
}

#[test]
fn a_nack_with_delay_overrules_the_backoff() {
    let mut bench = Bench::new(1);
    bench.grant(1, 1);
    assert!(bench.nack(key(0, 1), Some(5 * SECOND)));
    bench.pass(4 * SECOND);
    assert_eq!(bench.grant(1, 1), []);
    bench.pass(SECOND);
    assert_eq!(bench.deliver(1, 1), [(0, 2)]);
    assert!(bench.nack(key(0, 2), None));
    bench.pass(9 * SECOND);
    assert_eq!(bench.grant(1, 1), []);
    bench.pass(SECOND);
    assert_eq!(bench.grant(1, 1), [(0, 3)]);
}

#[test]
fn verdicts_that_are_not_of_the_current_lease_are_counted_and_ignored() {
    let mut bench = Bench::new(1);
    bench.grant(1, 1);
    let other_epoch = LeaseKey { epoch: EPOCH - 1, ..key(0, 1) };
    for key in [other_epoch, key(0, 2), key(5, 1)] {
        assert!(!bench.nack(key, None));
        assert!(!bench.leases.reject(key, b"", &mut bench.effects));
        assert!(!bench.leases.extend(key, SECOND, bench.now));
    }
    assert_eq!(bench.leases.counters().stale_verdicts, 9);
    assert_eq!(bench.effects.journal, []);
    assert_eq!(bench.parks(), []);
    assert_eq!(bench.figures().in_flight, 1);
}

#[test]
fn an_extended_lease_ends_later_and_never_earlier() {
    let mut bench = Bench::new(4);
    bench.grant(1, 4);
    assert!(bench.leases.extend(key(1, 1), 60 * SECOND, bench.now));
    assert!(bench.leases.extend(key(2, 1), SECOND, bench.now));
    bench.pass(30 * SECOND);
    assert_eq!(bench.figures().in_flight, 1);
    assert!(bench.leases.extend(key(1, 1), 60 * SECOND, bench.now));
    bench.pass(59 * SECOND);
    assert_eq!(bench.figures().in_flight, 1);
    bench.pass(SECOND);
    assert_eq!(bench.figures().in_flight, 0);
}

#[test]
fn a_record_that_always_expires_ends_as_one_park() {
    let mut bench = Bench::new(2);
    for attempt in 1..=3 {
        assert_eq!(bench.deliver(1, 1), [(0, attempt)]);
        bench.pass(30 * SECOND);
        bench.pass(10 * SECOND);
    }
    let park = Park { seq: 0, tries: tries(3, 3), reason: ParkReason::Attempts };
    assert_eq!(bench.parks(), [park]);
    bench.pass(1000 * SECOND);
    assert_eq!(bench.grant(1, 1), [(1, 1)], "the parked one is withheld");
    assert_eq!((bench.figures().parking, bench.figures().cursor), (1, 0));
    assert!(bench.leases.parked(0, &mut bench.effects));
    assert!(!bench.leases.parked(0, &mut bench.effects));
    assert_eq!((bench.figures().parking, bench.figures().cursor), (0, 1));
    assert_eq!(bench.parks(), []);
}

#[test]
fn a_rejected_record_is_parked_with_its_reason_and_without_a_failure() {
    let mut bench = Bench::new(1);
    bench.grant(1, 1);
    assert!(bench.leases.reject(key(0, 1), b"no such customer", &mut bench.effects));
    let reason = ParkReason::Rejected(b"no such customer"[..].into());
    assert_eq!(bench.parks(), [Park { seq: 0, tries: tries(1, 0), reason }]);
    assert_eq!(bench.figures().in_flight, 0);
    bench.pass(100 * SECOND);
    assert_eq!(bench.grant(1, 1), []);
}

#[test]
fn words_that_wait_take_little_memory_and_hold_up_no_record() {
    const WORDS: [u8; 1024] = [b'x'; 1024];
    let mut bench = Bench::new(5_000);
    let reject_all = |bench: &mut Bench| {
        loop {
            let granted = bench.grant(1, 4);
            let rejected = granted.iter().map(|&(seq, attempt)| {
                bench.leases.reject(key(seq, attempt), &WORDS, &mut bench.effects)
            });
            if rejected.filter(|rejected| *rejected).count() == 0 {
                break bench.parks();
            }
        }
    };
    let parks = reject_all(&mut bench);
    let words: usize = parks.iter().map(Park::words).sum();
    assert_eq!((parks.len(), words), (5_000, MAX_WORDS));
    // Dead letters that are written make room.
    bench.leases.parked(0, &mut bench.effects);
    bench.leases.parked(4_999, &mut bench.effects);
    bench.published_end += 2;
    let more: Vec<usize> = reject_all(&mut bench).iter().map(Park::words).collect();
    assert_eq!(more, [WORDS.len(), 0]);
}

#[test]
fn what_is_settled_after_its_reject_is_not_parked_and_leaves_nothing_behind() {
    let mut bench = Bench::new(100_000);
    for seq in 0..100_000 {
        assert_eq!(bench.grant(1, 1), [(seq, 1)]);
        assert!(bench.leases.reject(key(seq, 1), &[b'x'; 1024], &mut bench.effects));
        assert_eq!(bench.ack(&[key(seq, 1)]).settled, 1);
        bench.effects.clear();
    }
    assert!(!bench.leases.has_parks());
    assert_eq!((bench.parks(), bench.leases.words), (Vec::new(), 0));
}

#[test]
fn without_room_for_dead_letters_the_source_stays_and_parking_is_tried_again() {
    let mut bench = Bench::new(1);
    bench.grant(1, 1);
    bench.leases.reject(key(0, 1), b"bad", &mut bench.effects);
    let first = bench.parks();
    bench.leases.park_failed(0, bench.now + 5 * SECOND);
    assert_eq!(bench.leases.next_deadline(), Some(bench.now + 5 * SECOND));
    bench.pass(4 * SECOND);
    assert_eq!(bench.parks(), []);
    bench.pass(SECOND);
    assert_eq!(bench.parks(), first);
    assert_eq!(bench.figures().unsettled, 1);
}

#[test]
fn an_ack_while_parking_settles_and_one_after_it_is_counted() {
    let mut bench = Bench::new(2);
    bench.grant(1, 2);
    bench.leases.reject(key(0, 1), b"", &mut bench.effects);
    bench.leases.reject(key(1, 1), b"", &mut bench.effects);
    assert_eq!(
        bench.ack(&[key(0, 1)]),
        AckOutcome { settled: 1, late: 1, ..AckOutcome::default() }
    );
    assert!(!bench.leases.parked(0, &mut bench.effects));
    assert!(bench.leases.parked(1, &mut bench.effects));
    assert_eq!(bench.ack(&[key(1, 1)]), AckOutcome { repeated: 1, ..AckOutcome::default() });
}

#[test]
fn after_a_restart_all_is_due_at_once_and_the_numbers_go_on() {
    let attempts = [(1, tries(4, 2)), (2, tries(1, 1))];
    let recovered = Recovered {
        epoch: EPOCH,
        epoch_start: 5,
        cursor: 1,
        settled: RangeSet::from_iter([0..1, 3..4]),
        attempts: attempts.into_iter().collect(),
    };
    let mut bench = Bench::recover(6, recovered);
    assert_eq!(bench.deliver(1, 10), [(1, 5), (2, 2), (4, 1), (5, 1)]);
    bench.nack(key(1, 5), None);
    assert_eq!(bench.parks()[0].tries, tries(5, 3));
}

#[test]
fn a_park_that_a_restart_interrupted_is_asked_for_again() {
    let exhausted = tries(3, 3);
    let recovered = Recovered {
        epoch: EPOCH,
        epoch_start: 2,
        attempts: [(1, exhausted), (9, exhausted)].into_iter().collect(),
        ..Recovered::default()
    };
    let mut bench = Bench::recover(3, recovered);
    assert_eq!(bench.parks(), [Park { seq: 1, tries: exhausted, reason: ParkReason::Attempts }]);
    assert_eq!(bench.grant(1, 10), [(0, 1), (2, 1)]);
}

#[test]
fn skipped_records_lose_their_leases_and_raise_the_cursor() {
    let mut bench = Bench::new(100);
    bench.grant(1, 4);
    assert_eq!(bench.leases.skip(0..50, &mut bench.effects), 50);
    assert_eq!(bench.effects.journal, [JournalOp::Settled(0..50)]);
    let figures = bench.figures();
    assert_eq!((figures.cursor, figures.delivered_end, figures.in_flight), (50, 50, 0));
    assert_eq!(bench.grant(1, 1), [(50, 1)]);
    bench.leases.check_order(50, 100);
}

#[test]
fn an_application_that_leaves_holes_everywhere_gets_nothing_new_until_it_fills_them() {
    let mut bench = Bench::new(400_000);
    let earlier = |seq| LeaseKey { epoch: EPOCH - 1, seq, attempt: 1 };
    for seq in 0..65_536 {
        bench.ack(&[earlier(2 * seq + 1)]);
    }
    assert_eq!(bench.grant(1, 1), []);
    bench.ack(&[earlier(0)]);
    assert_eq!(bench.grant(1, 1), [(2, 1)]);
}

#[test]
fn one_lease_that_is_extended_for_ever_costs_no_memory() {
    let mut bench = Bench::new(20_000);
    bench.grant(1, 1);
    for seq in 1..20_000 {
        assert_eq!(bench.grant(1, 1), [(seq, 1)]);
        bench.ack(&[key(seq, 1)]);
        assert!(bench.leases.extend(key(0, 1), 60 * SECOND, bench.now));
        bench.now += SECOND / 100;
        assert!(bench.leases.timers.len() < 200);
    }
    assert_eq!(bench.figures().in_flight, 1);
}
