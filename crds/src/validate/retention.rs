//! The retention of one stream.

use super::facts::Written;
use super::fields;
use super::walk::{Node, Walk};
use crate::bounds;

/// Checks a retention; gives its `maxBytes`.
pub(crate) fn check(walk: &mut Walk, node: &Node<'_>) -> Written<u64> {
    let Some(retention) = walk.object(node, fields::RETENTION) else { return Written::Bad };
    for field in ["policy", "onFull", "onDamage"] {
        if let Some(node) = retention.get(field) {
            walk.choice(&node, &format!("retention.{field}"));
        }
    }
    let max_bytes = retention.get("maxBytes");
    Written::of(max_bytes.as_ref(), |node| walk.bytes(node, bounds::MAX_BYTES))
}

/// The place of `onFull: Reject`, if that is written.
pub(crate) fn rejects(node: &Node<'_>) -> Option<String> {
    let rejects = node.value.get("onFull").is_some_and(|on_full| on_full == "Reject");
    rejects.then(|| format!("{}.onFull", node.path))
}
