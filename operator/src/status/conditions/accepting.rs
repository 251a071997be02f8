//! `Accepting`: every replica that stays keeps what it is sent, whatever the application does.

use lifeboat_api::queue::QueueStatus;

use super::storage::MAKE_ROOM;
use super::{Reason, Verdict, replicas};
use crate::status::case::Case;

pub(super) fn accepting(case: &Case<'_>, status: &QueueStatus) -> Verdict {
    let full = case.full();
    if !full.is_empty() {
        let message = format!("A stream of {} is full. {MAKE_ROOM}", replicas(&full));
        return Verdict::no(Reason::StorageFull, message);
    }
    let stopped = case.stopped();
    if !stopped.is_empty() {
        let message = format!("A stream of {} is damaged and stopped.", replicas(&stopped));
        return Verdict::no(Reason::CorruptSegment, message);
    }
    if let Ok(queue) = case.subject.queue {
        let fenced: Vec<_> = queue.requests.fenced.iter().copied().collect();
        if fenced.iter().any(|ordinal| *ordinal < case.wanted()) {
            return Verdict::no(Reason::Fenced, format!("Fenced: {}.", replicas(&fenced)));
        }
    }
    let missing: Vec<_> = (0..case.wanted()).filter(|it| !case.accepts(*it)).collect();
    if !missing.is_empty() {
        let message = format!("Not ready: the sidecar of {}.", replicas(&missing));
        return Verdict::no(Reason::SidecarNotReady, message);
    }
    if case.wanted() == 0 {
        return Verdict::no(Reason::NoReplicas, "There is no replica: producers wait.");
    }
    if status.scale_down.is_some() {
        return Verdict::yes(Reason::Draining, "All replicas that stay take messages in.");
    }
    Verdict::yes(Reason::SidecarsReady, "All replicas take messages in.")
}
