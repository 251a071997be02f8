//! `Ready`: the wanted replicas all take messages in durably, and deliver.

use lifeboat_api::queue::QueueStatus;

use super::{Reason, Verdict, replicas};
use crate::status::case::Case;

/// What is to be done where no application is connected.
pub(super) const CONNECT: &str = "It connects to the endpoint in its variable \
                                  LIFEBOAT_<STREAM>_<NAME>; look at its log.";

pub(super) fn ready(case: &Case<'_>, status: &QueueStatus) -> Verdict {
    let Ok(queue) = case.subject.queue else {
        return Verdict::no(Reason::SpecInvalid, "The spec is invalid; see Stalled.");
    };
    if queue.suspend {
        return Verdict::no(Reason::Suspended, "The queue is suspended: it has no pods.");
    }
    let missing: Vec<_> = (0..case.wanted()).filter(|it| !case.accepts(*it)).collect();
    if !missing.is_empty() {
        let message = format!("Not taking messages in: {}.", replicas(&missing));
        return Verdict::no(Reason::ReplicasNotReady, message);
    }
    let (full, stopped) = (case.full(), case.stopped());
    if !full.is_empty() {
        let message = format!("No room, and producers held back: {}.", replicas(&full));
        return Verdict::no(Reason::StorageFull, message);
    }
    if !stopped.is_empty() {
        let message = format!("A stream of {} is stopped; see DataIntact.", replicas(&stopped));
        return Verdict::no(Reason::CorruptSegment, message);
    }
    let is_connected = |ordinal: u32| {
        let instance = status.instances.iter().find(|it| u32::try_from(it.ordinal) == Ok(ordinal));
        instance.is_some_and(|instance| instance.app_connected)
    };
    let alone: Vec<_> = (0..case.wanted()).filter(|ordinal| !is_connected(*ordinal)).collect();
    if !alone.is_empty() {
        let message = format!("No application is connected to {}. {CONNECT}", replicas(&alone));
        return Verdict::no(Reason::AppNotConnected, message);
    }
    if case.subject.plan.paused {
        return Verdict::yes(Reason::Paused, "All replicas are ready. Nothing is changed: paused.");
    }
    Verdict::yes(Reason::AllReplicasReady, "All replicas take messages in and deliver.")
}
