//! What is decided in each state of each flow.

mod scale_down;
mod steady;

use super::*;

/// What the plan says of an ordinal: expected volume, drain, fence.
fn entry(plan: &Plan, ordinal: u32) -> (Option<&str>, bool, bool) {
    plan.sidecars.get(&ordinal).map_or((None, false, false), |entry| {
        (entry.log_id.as_deref(), entry.drain == Some(true), entry.fenced == Some(true))
    })
}
