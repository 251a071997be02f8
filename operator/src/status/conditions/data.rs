//! `DataIntact`: each ordinal still has the log that it had, undamaged.

use super::{Reason, Verdict};
use crate::plan::Mismatch;
use crate::status::case::Case;

pub(super) fn intact(case: &Case<'_>) -> Verdict {
    if let Some((ordinal, mismatch)) = case.subject.plan.mismatches.iter().next() {
        return mismatched(case, *ordinal, mismatch);
    }
    let damaged = case.facts.iter().find_map(|(ordinal, facts)| {
        let stream = facts.streams.iter().find(|it| it.damage.is_some() || it.reason.is_some())?;
        let said = stream.damage.clone().or_else(|| stream.reason.clone())?;
        Some((ordinal, &stream.name, said))
    });
    if let Some((ordinal, stream, said)) = damaged {
        let message = format!(
            "Stream {stream} of replica {ordinal} is damaged: {said}. In its container \
             lifeboat-sidecar `lifeboat accept-gap {stream} --dry-run` says what it costs to go \
             on, and `lifeboat accept-gap {stream} --yes` goes on."
        );
        return Verdict::no(Reason::CorruptSegment, message);
    }
    if !case.all_report() {
        return Verdict::unknown("Not every replica answers.");
    }
    Verdict::yes(Reason::Verified, "Each replica has the log that it had.")
}

fn mismatched(case: &Case<'_>, ordinal: u32, mismatch: &Mismatch) -> Verdict {
    let expected = &mismatch.expected;
    let help = format!(
        "It stays closed. If what was lost is not missed, the annotation \
         lifeboat.dev/accept-new-log: \"{ordinal}\" opens it."
    );
    let Some(found) = &mismatch.found else {
        let message = format!("The claim of replica {ordinal} with log {expected} is gone. {help}");
        return Verdict::no(Reason::ClaimLost, message);
    };
    let (reason, what) = if is_new_claim(case, ordinal) {
        (Reason::ClaimLost, "has a new, empty volume instead of the one")
    } else {
        (Reason::LogIdentityChanged, "has another volume than the one")
    };
    Verdict::no(reason, format!("Replica {ordinal} {what} with log {expected}: {found}. {help}"))
}

/// Whether the claim was made after the replica was last seen, or was already told to be lost.
fn is_new_claim(case: &Case<'_>, ordinal: u32) -> bool {
    let before = case.before.conditions.iter().find(|it| it.type_ == "DataIntact");
    if before.is_some_and(|before| before.status == "False") {
        return before.is_some_and(|before| before.reason == Reason::ClaimLost.text());
    }
    let replica = case.subject.observed.replicas.get(&ordinal);
    let claim = replica.and_then(|it| it.claim.as_ref());
    let made = claim.and_then(|claim| claim.metadata.creation_timestamp.as_ref());
    let seen = case.instance_before(ordinal).and_then(|it| it.last_seen.as_ref());
    matches!((made, seen), (Some(made), Some(seen)) if made > seen)
}
