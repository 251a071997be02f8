//! The checker's rules for hand-outs: attempts, order, and a reason for every delivery beyond a
//! record's first. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::history::{Delivery, Given, HandOut, History, Verdict};
use super::report::{Reason, Violation};

/// A verdict takes no longer to reach the process, unless this machine stands still.
const ON_ITS_WAY: Duration = Duration::from_millis(200);

/// Adds what is broken to `violations`, and counts what is not to `duplicates`.
pub(crate) fn check(
    history: &History,
    violations: &mut Vec<Violation>,
    duplicates: &mut BTreeMap<Reason, u64>,
) {
    for consumer in &history.consumers {
        order(consumer, violations);
    }
    let verdicts = verdicts(history);
    let known = firm_acks(history);
    for hand_outs in by_record(history).values() {
        // The highest attempt of 2 and more that an earlier boot made: it was synced before.
        let mut synced = 0;
        for pair in hand_outs.windows(2) {
            let [before, again] = pair else { continue };
            let hand_out = again.hand_out;
            if before.hand_out == hand_out {
                violations.push(Violation::AttemptRepeated(hand_out));
                continue;
            }
            let verdict = verdicts.get(&before.hand_out).copied();
            let reason = if before.hand_out.epoch == hand_out.epoch {
                within_boot(history, before, again, verdict)
            } else {
                if before.hand_out.attempt >= 2 {
                    synced = before.hand_out.attempt.max(synced);
                }
                match known.get(&hand_out.seq) {
                    Some(epoch) if *epoch < hand_out.epoch => {
                        violations.push(Violation::AckForgotten(hand_out));
                        continue;
                    }
                    _ if acked(verdict) => Some(Reason::AckInFlight),
                    _ => Some(Reason::InFlight),
                }
            };
            if hand_out.attempt <= synced {
                violations.push(Violation::AttemptForgotten(hand_out));
            }
            match reason {
                Some(reason) => *duplicates.entry(reason).or_default() += 1,
                None => violations.push(Violation::Unexplained(hand_out)),
            }
        }
    }
}

/// What one consumer sees: first hand-outs of a boot ascend, and so do a record's hand-outs.
fn order(deliveries: &[Delivery], violations: &mut Vec<Violation>) {
    let mut firsts: BTreeMap<u64, u64> = BTreeMap::new();
    let mut newest: BTreeMap<u64, HandOut> = BTreeMap::new();
    for Delivery { hand_out, .. } in deliveries {
        if hand_out.attempt == 1
            && firsts.insert(hand_out.epoch, hand_out.seq).is_some_and(|seq| seq > hand_out.seq)
        {
            violations.push(Violation::DeliveredOutOfOrder(*hand_out));
        }
        // The same one again is found where all consumers' are compared.
        if newest.insert(hand_out.seq, *hand_out).is_some_and(|newest| newest > *hand_out) {
            violations.push(Violation::AttemptRepeated(*hand_out));
        }
    }
}

/// Every record's deliveries, in the order of their making.
fn by_record(history: &History) -> BTreeMap<u64, Vec<&Delivery>> {
    let mut records: BTreeMap<u64, Vec<&Delivery>> = BTreeMap::new();
    for delivery in history.consumers.iter().flatten() {
        records.entry(delivery.hand_out.seq).or_default().push(delivery);
    }
    for deliveries in records.values_mut() {
        deliveries.sort_by_key(|delivery| (delivery.hand_out, delivery.at));
    }
    records
}

fn verdicts(history: &History) -> BTreeMap<HandOut, Given> {
    history.verdicts.iter().map(|given| (given.hand_out, *given)).collect()
}

/// Records whose acknowledgement was surely in the journal when the boot that got it was killed;
/// with its epoch. (A kill leaves the page cache alone: that it was written is enough.)
fn firm_acks(history: &History) -> BTreeMap<u64, u64> {
    let commits = Commits::new(history);
    let mut firm = BTreeMap::new();
    for given in history.verdicts.iter().filter(|given| given.verdict == Verdict::Ack) {
        let Some(killed) = history.killed.get(&given.heard) else { continue };
        let arrived = given.at + ON_ITS_WAY;
        if commits.journaled(arrived).is_some_and(|journaled| journaled < *killed)
            && !stalled(history, given.at, arrived)
        {
            let epoch = firm.entry(given.hand_out.seq).or_insert(given.heard);
            *epoch = given.heard.min(*epoch);
        }
    }
    firm
}

/// What receipts tell of group commits.
struct Commits {
    /// For each time of sending, when the first receipt came of what was sent then or later.
    receipts: BTreeMap<Duration, Duration>,
}

impl Commits {
    fn new(history: &History) -> Self {
        let sent: BTreeMap<_, _> =
            history.sent.iter().map(|sent| (sent.submission, sent.at)).collect();
        let stored = history.receipts.iter().filter(|receipt| receipt.seq.is_some());
        let mut times: Vec<_> = stored
            .filter_map(|receipt| Some((*sent.get(&receipt.submission)?, receipt.at)))
            .collect();
        times.sort_unstable();
        let mut first = Duration::MAX;
        let earliest = times.into_iter().rev().map(|(sent, at)| {
            first = first.min(at);
            (sent, first)
        });
        Self { receipts: earliest.collect() }
    }

    /// When it was certain that the journal holds what the process knew at `time`: each commit
    /// begins with the journal, so the second one after `time` holds it. `None` for never.
    fn journaled(&self, time: Duration) -> Option<Duration> {
        self.receipted_after(self.receipted_after(time)?)
    }

    fn receipted_after(&self, time: Duration) -> Option<Duration> {
        self.receipts.range(time..).next().map(|(_, at)| *at)
    }
}

fn acked(given: Option<Given>) -> bool {
    given.is_some_and(|given| given.verdict == Verdict::Ack)
}

/// Why a boot that has handed a record out does so again: a nack, or the lease's end.
fn within_boot(
    history: &History,
    before: &Delivery,
    again: &Delivery,
    verdict: Option<Given>,
) -> Option<Reason> {
    let given = verdict?;
    // A lease begins before its record arrives here, but not by half the timeout, unless this
    // machine stood still.
    let begun = before.at.saturating_sub(history.ack_timeout);
    let lenient = stalled(history, begun, again.at);
    let ended = lenient || again.at.saturating_sub(before.at) >= history.ack_timeout / 2;
    let late = lenient || given.at.saturating_sub(before.at) >= history.ack_timeout / 2;
    match given.verdict {
        Verdict::Nack => Some(Reason::Nack),
        Verdict::Hold if ended => Some(Reason::Expiry),
        Verdict::Ack | Verdict::Reject if late => Some(Reason::LateVerdict),
        _ => None,
    }
}

fn stalled(history: &History, from: Duration, to: Duration) -> bool {
    history.stalls.iter().any(|stall| stall.start <= to && stall.end >= from)
}
