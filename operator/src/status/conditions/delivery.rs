//! `DeliveryStuck`: something waits for long, and nothing is delivered.

use super::ready::CONNECT;
use super::{Reason, Verdict, replicas};
use crate::facts::Facts;
use crate::status::case::Case;

/// The oldest record may wait for this long.
const LIMIT_SECONDS: i64 = 300;

pub(super) fn stuck(case: &Case<'_>) -> Verdict {
    let is_stuck = |facts: &Facts| {
        let oldest = facts.totals.oldest_time;
        let is_late = |oldest: i64| case.now.as_second() - oldest >= LIMIT_SECONDS;
        facts.totals.depth > 0
            && facts.totals.delivered_per_second <= 0.0
            && oldest.is_some_and(|oldest| is_late(oldest.as_second()))
    };
    let stuck: Vec<_> = case.facts.iter().filter(|(_, facts)| is_stuck(facts)).collect();
    if stuck.is_empty() {
        return if case.all_report() {
            Verdict::no(Reason::Delivering, "Nothing waits for long.")
        } else {
            Verdict::unknown("Not every replica answers.")
        };
    }
    let of = |alone: bool| {
        let some = stuck.iter().filter(|(_, facts)| (facts.app_connected == Some(false)) == alone);
        some.map(|(ordinal, _)| **ordinal).collect::<Vec<_>>()
    };
    let alone = of(true);
    if alone.is_empty() {
        let message = format!(
            "Messages in {} have waited for over five minutes, and the application takes \
             none. Look at its log: it must read, and reply, acknowledge or grant CREDIT.",
            replicas(&of(false))
        );
        return Verdict::yes(Reason::ConsumerFailing, message);
    }
    let message = format!(
        "Messages in {} have waited for over five minutes, and no application is \
         connected. {CONNECT}",
        replicas(&alone)
    );
    Verdict::yes(Reason::NoConsumer, message)
}
