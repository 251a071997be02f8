//! The top-level `replicas`, which the operator writes for the pods of a queue.

use super::fields;
use super::walk::{Node, Walk, show};
use crate::bounds::ORDINALS;

const LOG_ID_FORM: &str = "32 lower-case hex digits, as `lifeboat status` shows them";
const LOG_ID_LENGTH: usize = 32;

pub(crate) fn check(walk: &mut Walk, node: &Node<'_>) {
    if node.value.is_number() {
        let form = "a mapping from ordinal to {logId, fenced, drain}, which the operator writes; \
                    the number of replicas is spec.replicas";
        walk.wrong_kind(node, form);
        return;
    }
    let Some(replicas) = walk.mapping(node) else { return };
    for (ordinal, node) in replicas.entries() {
        if !is_ordinal(ordinal) {
            let (first, last) = (ORDINALS.start(), ORDINALS.end());
            walk.problem(&node.path, format!("is no ordinal; expected {first} to {last}"));
        }
        replica(walk, &node);
    }
}

/// A number in range in its shortest form, so that no ordinal can stand twice.
fn is_ordinal(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|number| ORDINALS.contains(&number) && number.to_string() == text)
}

fn replica(walk: &mut Walk, node: &Node<'_>) {
    let Some(replica) = walk.object(node, fields::REPLICA) else { return };
    for flag in ["fenced", "drain"] {
        if let Some(node) = replica.get(flag) {
            walk.boolean(&node);
        }
    }
    let Some(node) = replica.get("logId") else { return };
    let Some(id) = walk.text(&node, LOG_ID_FORM) else { return };
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if id.len() != LOG_ID_LENGTH || !id.bytes().all(hex) {
        walk.problem(&node.path, format!("{} is no volume id; expected {LOG_ID_FORM}", show(id)));
    }
}
