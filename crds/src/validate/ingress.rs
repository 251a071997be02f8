//! One ingress.

use super::facts::{SocketFacts, Written};
use super::walk::{Node, Walk};
use super::{fields, socket};
use crate::bounds;

pub(crate) fn check<'a>(walk: &mut Walk, node: &Node<'a>) -> SocketFacts<'a> {
    let Some(ingress) = walk.object(node, fields::INGRESS) else { return SocketFacts::default() };
    let mut facts = socket::common(walk, &ingress);
    facts.socket = socket::kind(walk, &ingress, "ingress", "deliveries");
    let size = ingress.get("maxMessageSize");
    let size = Written::of(size.as_ref(), |node| walk.bytes(node, bounds::MESSAGE_SIZE));
    facts.max_message_size = Some(size);
    facts
}
