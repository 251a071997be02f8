//! The retention of one stream.

use super::facts::Written;
use super::fields;
use super::suggest::one_of;
use super::walk::{Node, Object, Walk};
use crate::bounds;

const LIMITS: [&str; 3] = ["maxAge", "maxBytes", "maxMessages"];

/// What is known of a retention.
pub(crate) struct Checked<'a> {
    pub(crate) max_bytes: Written<u64>,
    pub(crate) policy: Written<&'a str>,
    /// The place of `onFull: Reject`, if that is written.
    pub(crate) rejects: Option<String>,
}

/// Checks a retention.
pub(crate) fn check<'a>(walk: &mut Walk, node: &Node<'a>) -> Checked<'a> {
    let Some(retention) = walk.object(node, fields::RETENTION) else {
        return Checked { max_bytes: Written::Bad, policy: Written::Bad, rejects: None };
    };
    let policy = retention.get("policy");
    let policy = Written::of(policy.as_ref(), |node| walk.choice(node, "retention.policy"));
    for field in ["onFull", "onDamage"] {
        if let Some(node) = retention.get(field) {
            walk.choice(&node, &format!("retention.{field}"));
        }
    }
    if let Some(node) = retention.get("maxAge") {
        walk.duration(&node, bounds::MAX_AGE);
    }
    if let Some(node) = retention.get("maxMessages") {
        walk.number(&node, bounds::MAX_MESSAGES);
    }
    limits(walk, &retention, policy);
    let max_bytes = retention.get("maxBytes");
    let max_bytes = Written::of(max_bytes.as_ref(), |node| walk.bytes(node, bounds::MAX_BYTES));
    let on_full = retention.get("onFull").filter(|node| node.value == "Reject");
    Checked { max_bytes, policy, rejects: on_full.map(|node| node.path) }
}

/// Limits has a limit, and a WorkQueue does not count.
fn limits(walk: &mut Walk, retention: &Object<'_>, policy: Written<&str>) {
    match policy {
        Written::Good("Limits") => {
            let given = LIMITS.iter().any(|name| retention.get(name).is_some());
            if !given {
                let message = format!("Limits without a limit; expected {}", one_of(&LIMITS));
                walk.problem(&retention.path, message);
            }
        }
        Written::Absent | Written::Good("WorkQueue") => {
            if let Some(node) = retention.get("maxMessages") {
                let message = "a WorkQueue keeps every record until it is settled; remove it, or \
                               use policy Limits";
                walk.problem(&node.path, message);
            }
        }
        Written::Good(_) | Written::Bad => {}
    }
}
