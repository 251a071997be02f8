//! `ScalingDown`: a replica is on its way out.

use super::Verdict;
use crate::plan::{Blocked, Phase};
use crate::status::case::Case;

pub(super) fn scaling_down(case: &Case<'_>) -> Verdict {
    let Some(going) = &case.subject.plan.scale_down else {
        return Verdict::no("NoneGoing", "No replica is on its way out.");
    };
    let ordinal = going.ordinal;
    if going.blocked == Some(Blocked::Forbidden) {
        return Verdict::no("Forbidden", format!("Replica {ordinal} stays: the policy is Forbid."));
    }
    let (reason, message) = match going.phase {
        Phase::Requested => ("DrainRequested", format!("Replica {ordinal} is asked to drain.")),
        Phase::Draining => (
            "WaitingForConsumer",
            format!("The application consumes what replica {ordinal} holds."),
        ),
        Phase::Verifying => (
            "Verifying",
            format!("Nothing is left in replica {ordinal}, which is looked at twice."),
        ),
        Phase::Sealing => {
            ("Verifying", format!("Replica {ordinal} is closed, so that nothing more comes in."))
        }
        Phase::Shrinking => ("Shrinking", format!("The pod of replica {ordinal} ends.")),
    };
    Verdict::yes(reason, message)
}
