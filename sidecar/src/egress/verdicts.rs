//! What applications say about records that they have, applied to the leases of their delivery.

use std::time::Instant;

use super::leased::LeasedDelivery;
use crate::delivery::LeaseKey;
use crate::wire::credit::Verb;

/// Settles the records of these hand-outs. Returns how many of them the log does not hold.
pub(super) fn acknowledge(delivery: &LeasedDelivery, acked: &[LeaseKey]) -> u64 {
    if acked.is_empty() {
        return 0;
    }
    let (outcome, _) =
        delivery.step(|leases, effects| leases.ack(acked, delivery.log.published_end(), effects));
    outcome.refused
}

/// Follows a NACK, REJECT or EXTEND; no other verb has an effect.
pub(super) fn follow(delivery: &LeasedDelivery, verb: &Verb<'_>) {
    let now = Instant::now();
    delivery.step(|leases, effects| match *verb {
        Verb::Nack { lease, delay } => {
            leases.nack(lease, delay, now, effects);
        }
        Verb::Reject { lease, reason } => {
            leases.reject(lease, reason, effects);
        }
        Verb::Extend { lease, time } => {
            leases.extend(lease, time, now);
        }
        Verb::Probe | Verb::Ack(_) | Verb::Credit(_) => {}
    });
}
