//! `ScalingDown`: a replica is on its way out.

use super::{Reason, Verdict};
use crate::plan::{Blocked, Phase};
use crate::status::case::Case;

pub(super) fn scaling_down(case: &Case<'_>) -> Verdict {
    let Some(going) = &case.subject.plan.scale_down else {
        return Verdict::no(Reason::NoneGoing, "No replica is on its way out.");
    };
    let ordinal = going.ordinal;
    if going.blocked == Some(Blocked::Forbidden) {
        return Verdict::no(
            Reason::Forbidden,
            format!("Replica {ordinal} stays: the policy is Forbid."),
        );
    }
    let (reason, message) = match going.phase {
        Phase::Requested => {
            (Reason::DrainRequested, format!("Replica {ordinal} is asked to drain."))
        }
        Phase::Draining => (
            Reason::WaitingForConsumer,
            format!("The application consumes what replica {ordinal} holds."),
        ),
        Phase::Verifying => (
            Reason::Verifying,
            format!("Nothing is left in replica {ordinal}, which is looked at twice."),
        ),
        Phase::Sealing => (
            Reason::Verifying,
            format!("Replica {ordinal} is closed, so that nothing more comes in."),
        ),
        Phase::Shrinking => (Reason::Shrinking, format!("The pod of replica {ordinal} ends.")),
    };
    Verdict::yes(reason, message)
}
