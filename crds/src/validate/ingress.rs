//! One ingress.

use super::facts::{SocketFacts, Written};
use super::walk::{Node, Object, Walk};
use super::{fields, socket};
use crate::{bounds, duration};

pub(crate) fn check<'a>(walk: &mut Walk, node: &Node<'a>) -> SocketFacts<'a> {
    let Some(ingress) = walk.object(node, fields::INGRESS) else { return SocketFacts::default() };
    let mut facts = socket::common(walk, &ingress);
    facts.socket = socket::kind(walk, &ingress, "ingress", "deliveries");
    dedup(walk, &ingress, facts.socket);
    if let Some(kind) = facts.socket {
        socket::only_connects(walk, &ingress, "PULL", kind);
    }
    let size = ingress.get("maxMessageSize");
    let size = Written::of(size.as_ref(), |node| walk.bytes(node, bounds::MESSAGE_SIZE));
    facts.max_message_size = Some(size);
    facts
}

fn dedup(walk: &mut Walk, ingress: &Object<'_>, socket: Option<&str>) {
    let Some(node) = ingress.get("dedup") else { return };
    if let Some(socket @ ("PULL" | "SUB")) = socket {
        let message = format!(
            "messages on {socket} carry no id; remove it, or use socket ROUTER with protocol Receipt"
        );
        return walk.problem(&node.path, message);
    }
    let Some(dedup) = walk.object(&node, fields::DEDUP) else { return };
    if let Some(window) = walk.required(&dedup, "window", duration::FORM) {
        walk.duration(&window, bounds::DEDUP_WINDOW);
    }
}
