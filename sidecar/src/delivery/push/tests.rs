//! Each rule by itself.

use std::time::Duration;

use super::*;
use crate::delivery::JournalOp;

const POLICY: TrailPolicy = TrailPolicy { messages: 1000, time: Duration::from_secs(60) };
/// Bytes of each record here: so large that the decoder's buffer holds none.
const SIZE: u32 = 10_000;

fn start(connections: u64) -> PushCursor {
    let mut push = PushCursor::new(POLICY, 0, RangeSet::new());
    (1..=connections).for_each(|connection| push.connect(connection));
    push
}

fn send(push: &mut PushCursor, connection: u64, seqs: Range<u64>) {
    push.sent(connection, seqs.start, seqs.map(|_| SIZE));
}

/// The peer has taken this many records since it connected; what that settles.
fn taken(push: &mut PushCursor, connection: u64, records: u64, now: Instant) -> Vec<JournalOp> {
    let mut effects = Effects::default();
    push.progress(connection, records * u64::from(SIZE), now, &mut effects);
    effects.journal
}

#[test]
fn a_connection_takes_runs_in_order_up_to_what_is_published() {
    let mut push = start(1);
    assert_eq!(push.take(1, 10, 6), Some(0..6));
    assert_eq!(push.take(1, 10, 6), Some(6..10));
    assert_eq!(push.take(1, 10, 6), None);
    assert_eq!(push.take(1, 11, 6), Some(10..11));
    assert_eq!(push.take(2, 20, 6), None, "not connected");
    assert_eq!(push.take(1, 20, 0), None);
}

#[test]
fn no_connection_takes_more_than_its_share_but_at_least_one() {
    let mut push = start(4);
    assert_eq!(push.take(1, 100, 1000), Some(0..25));
    assert_eq!(push.take(2, 100, 1000), Some(25..44));
    assert_eq!(push.take(3, 45, 1000), Some(44..45));
}

#[test]
fn a_record_is_settled_1001_records_after_it_was_taken() {
    let (mut push, now) = (start(1), Instant::now());
    push.take(1, 5000, 5000);
    send(&mut push, 1, 0..5000);
    assert_eq!(taken(&mut push, 1, 1002, now), []);
    assert_eq!(taken(&mut push, 1, 1003, now), [JournalOp::Settled(0..1)]);
    assert_eq!(taken(&mut push, 1, 2002, now), [JournalOp::Settled(1..1000)]);
    let figures = push.figures(5000);
    assert_eq!((figures.cursor, figures.in_flight, figures.delivered_end), (1000, 4000, 5000));
}

#[test]
fn records_that_were_sent_and_not_taken_are_never_settled_by_time() {
    let (mut push, now) = (start(1), Instant::now());
    push.take(1, 10, 10);
    send(&mut push, 1, 0..10);
    assert_eq!(taken(&mut push, 1, 4, now), []);
    assert_eq!(push.next_deadline(1), Some(now + POLICY.time));
    assert_eq!(taken(&mut push, 1, 4, now + 2 * POLICY.time), [JournalOp::Settled(0..4)]);
    assert_eq!(taken(&mut push, 1, 4, now + 4 * POLICY.time), []);
}

#[test]
fn a_disconnect_redelivers_the_unsent_the_untaken_and_the_trail_lowest_first() {
    let (mut push, now) = (start(2), Instant::now());
    assert_eq!(push.take(1, 4000, 3000), Some(0..2000));
    assert_eq!(push.take(2, 4000, 10), Some(2000..2010));
    send(&mut push, 1, 0..1500);
    taken(&mut push, 1, 1202, now);
    assert_eq!(push.figures(4000).cursor, 200);
    push.disconnect(1);
    assert_eq!(push.figures(4000).in_flight, 10);
    assert_eq!(push.take(2, 4000, 900), Some(200..1100));
    assert_eq!(push.take(2, 4000, 1800), Some(1100..2000));
    assert_eq!(push.take(2, 4000, 5), Some(2010..2015));
    assert_eq!(push.figures(4000).redelivered, 1800);
}

#[test]
fn what_was_taken_and_not_sent_can_be_given_back() {
    let mut push = start(2);
    assert_eq!(push.take(1, 20, 100), Some(0..10));
    send(&mut push, 1, 0..3);
    push.give_back(1);
    assert_eq!(push.take(2, 20, 100), Some(3..10));
}

#[test]
fn what_the_journal_has_as_settled_is_not_delivered() {
    let mut push = PushCursor::new(POLICY, 5, [7..9, 12..13].into_iter().collect());
    push.connect(1);
    let runs: Vec<_> = std::iter::from_fn(|| push.take(1, 15, 100)).collect();
    assert_eq!(runs, [5..7, 9..12, 13..15]);
}

#[test]
fn skipped_records_are_not_redelivered_and_not_settled_twice() {
    let (mut push, mut effects, now) = (start(1), Effects::default(), Instant::now());
    push.take(1, 2000, 2000);
    send(&mut push, 1, 0..1500);
    assert_eq!(push.skip(0..10, &mut effects), 10);
    assert_eq!(push.skip(1400..1600, &mut effects), 200);
    assert_eq!(push.figures(2000).cursor, 10);
    assert_eq!(taken(&mut push, 1, 1022, now), [JournalOp::Settled(10..20)]);
    push.disconnect(1);
    push.connect(1);
    assert_eq!(push.take(1, 2000, 2000), Some(20..1400));
    assert_eq!(push.take(1, 2000, 2000), Some(1600..2000));
}
