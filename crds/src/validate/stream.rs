//! One stream.

use super::facts::{StreamFacts, Written};
use super::walk::{Node, Object, Walk};
use super::{delivery, fields, ingress, retention, socket};
use crate::bounds;

const INGRESS_FORM: &str = "a list of 1 to 8 ingress sockets such as {name: in, socket: PULL}";
const DELIVERIES_FORM: &str =
    "a list of 1 to 16 deliveries such as {name: workers, socket: ROUTER, protocol: Credit}";

pub(crate) fn check<'a>(walk: &mut Walk, node: &Node<'a>) -> StreamFacts<'a> {
    let mut facts = StreamFacts { path: node.path.clone(), ..StreamFacts::default() };
    let Some(stream) = walk.object(node, fields::STREAM) else { return facts };
    facts.name = socket::name(walk, &stream);
    sockets(walk, &stream, &mut facts);
    if let Some(node) = stream.get("retention") {
        let checked = retention::check(walk, &node);
        (facts.max_bytes, facts.policy) = (checked.max_bytes, checked.policy);
        facts.rejects = checked.rejects;
    }
    starts(walk, &facts);
    facts
}

/// Only what stays when it is settled can be started at will.
fn starts(walk: &mut Walk, facts: &StreamFacts<'_>) {
    if !matches!(facts.policy, Written::Absent | Written::Good("WorkQueue")) {
        return;
    }
    for path in facts.sockets.iter().filter_map(|socket| socket.from.as_ref()) {
        let message = "in a WorkQueue a new delivery gets all that is still held; remove it, or use \
                       retention.policy Limits";
        walk.problem(path, message);
    }
}

fn sockets<'a>(walk: &mut Walk, stream: &Object<'a>, facts: &mut StreamFacts<'a>) {
    if let Some(node) = walk.required(stream, "ingress", INGRESS_FORM) {
        let items = walk.items(&node, bounds::INGRESS, "ingress sockets");
        facts.sockets.extend(items.iter().map(|node| ingress::check(walk, node)));
    }
    if let Some(node) = walk.required(stream, "deliveries", DELIVERIES_FORM) {
        let items = walk.items(&node, bounds::DELIVERIES, "deliveries");
        facts.sockets.extend(items.iter().map(|node| delivery::check(walk, node)));
    }
}
