//! Each condition, from what is told in it to what is written.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use lifeboat_api::queue::QueueStatus;

use super::case::Case;
use super::reason::Reason;

mod accepting;
mod data;
mod delivery;
mod ready;
mod reconciling;
mod scaling_down;
mod stalled;
mod storage;

/// The longest message: what a server says to a template may be long.
const MAX_MESSAGE: usize = 1024;

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    True,
    False,
    Unknown,
}

/// What a condition says. A message holds no figure that moves: each would be a write.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    truth: Truth,
    reason: Reason,
    message: String,
}

impl Verdict {
    fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self { truth: Truth::True, reason, message: message.into() }
    }

    fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self { truth: Truth::False, reason, message: message.into() }
    }

    fn unknown(message: impl Into<String>) -> Self {
        Self { truth: Truth::Unknown, reason: Reason::NotReported, message: message.into() }
    }
}

/// All conditions, in a fixed order.
pub(super) fn conditions(case: &Case<'_>, status: &QueueStatus) -> Vec<Condition> {
    let stalled = stalled::stalled(case);
    let reconciling = reconciling::reconciling(case, status, &stalled);
    let verdicts = [
        ("Ready", ready::ready(case, status)),
        ("Accepting", accepting::accepting(case, status)),
        ("Reconciling", reconciling),
        ("Stalled", stalled),
        ("ScalingDown", scaling_down::scaling_down(case)),
        ("StoragePressure", storage::pressure(case)),
        ("DataIntact", data::intact(case)),
        ("DurableVolume", storage::durable(case)),
        ("DeliveryStuck", delivery::stuck(case)),
    ];
    verdicts.into_iter().map(|(type_, verdict)| written(case, type_, verdict)).collect()
}

fn written(case: &Case<'_>, type_: &str, verdict: Verdict) -> Condition {
    let status = match verdict.truth {
        Truth::True => "True",
        Truth::False => "False",
        Truth::Unknown => "Unknown",
    };
    let before = case.before.conditions.iter().find(|it| it.type_ == type_);
    let since = before.filter(|before| before.status == status);
    let message = verdict.message;
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: verdict.reason.text().to_owned(),
        message: message.chars().take(MAX_MESSAGE).collect(),
        observed_generation: case.subject.observed.queue.metadata.generation,
        last_transition_time: since
            .map_or_else(|| Time(case.now), |before| before.last_transition_time.clone()),
    }
}

/// `replica 0`, or `replicas 0, 2 and 5`.
fn replicas(ordinals: &[u32]) -> String {
    let words: Vec<_> = ordinals.iter().map(u32::to_string).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            format!("replicas {} and {last}", rest.join(", "))
        }
        _ => format!("replica {}", words.concat()),
    }
}
