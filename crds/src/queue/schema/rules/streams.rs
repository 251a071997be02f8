//! Rules of one stream and of its retention.

use super::{Rule, within};
use crate::bounds;

const STREAM: &str = "spec.streams[]";
const RETENTION: &str = "spec.streams[].retention";

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = stream();
    rules.extend(retention());
    rules
}

fn stream() -> Vec<Rule> {
    vec![
        Rule::new(
            STREAM,
            "self.ingress.all(i, !self.deliveries.exists(d, d.name == i.name))",
            "name: names are unique in a stream over ingress and deliveries; choose another",
        ),
        Rule::new(
            STREAM,
            format!("!self.ingress.exists(i, i.socket == 'SUB') || {}", on_full_is("DropOldest")),
            "retention.onFull: a publisher does not feel that a SUB blocks; write DropOldest",
        ),
        Rule::new(
            STREAM,
            format!("!({}) || self.ingress.exists(i, i.socket == 'ROUTER')", on_full_is("Reject")),
            "retention.onFull: no ingress of this stream gives receipts, so nobody can be refused; \
             remove Reject, or use an ingress with socket ROUTER and protocol Receipt",
        ),
        Rule::new(
            STREAM,
            format!(
                "self.deliveries.all(d, !has(d.from)) || {} in ['Limits', 'Latest']",
                policy("self")
            ),
            "deliveries.from: a new delivery of a WorkQueue gets all that is still held; remove it, \
             or use retention.policy Limits",
        ),
        Rule::new(
            STREAM,
            format!(
                "{new} == {old} || {old} == 'WorkQueue' && {new} == 'Limits'",
                new = policy("self"),
                old = policy("oldSelf")
            ),
            "retention.policy can change from WorkQueue to Limits only; write the one it had, or \
             use a new stream",
        ),
    ]
}

fn retention() -> Vec<Rule> {
    vec![
        Rule::new(
            RETENTION,
            "(has(self.policy) && self.policy == 'Latest') == has(self.key)",
            "key goes with policy Latest, which needs one; write both or neither",
        ),
        Rule::new(
            RETENTION,
            "(has(self.key) && self.key == 'Frame') == has(self.frame)",
            "frame goes with key Frame, which needs one; write both or neither",
        ),
        Rule::new(
            RETENTION,
            "!has(self.policy) || self.policy != 'Limits' || \
             has(self.maxAge) || has(self.maxBytes) || has(self.maxMessages)",
            "policy Limits without a limit; write maxAge, maxBytes or maxMessages",
        ),
        Rule::new(
            RETENTION,
            "!has(self.maxMessages) || has(self.policy) && self.policy != 'WorkQueue'",
            "maxMessages: a WorkQueue keeps every record until it is settled; remove it, or use \
             policy Limits",
        ),
        within("spec.streams[].retention.maxAge", "maxAge", &bounds::MAX_AGE),
    ]
}

/// Whether the stream's `onFull` is `value`, which is never the default.
fn on_full_is(value: &str) -> String {
    format!(
        "has(self.retention) && has(self.retention.onFull) && self.retention.onFull == '{value}'"
    )
}

/// The policy of the stream `it`.
fn policy(it: &str) -> String {
    format!(
        "(has({it}.retention) && has({it}.retention.policy) ? {it}.retention.policy : 'WorkQueue')"
    )
}
