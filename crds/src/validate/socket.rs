//! What ingress and deliveries have in common: name, socket with protocol, endpoint, connections.

use super::facts::SocketFacts;
use super::suggest::one_of;
use super::walk::{Node, Object, Walk, show};
use crate::names::is_label;
use crate::remote::{self, Remote};
use crate::{bounds, endpoint, features, names};

/// The name of a stream, ingress or delivery.
pub(crate) fn name<'a>(walk: &mut Walk, object: &Object<'a>) -> Option<&'a str> {
    let node = walk.required(object, "name", names::FORM)?;
    let text = walk.text(&node, names::FORM)?;
    if is_label(text) {
        return Some(text);
    }
    walk.problem(&node.path, format!("{} is no valid name; expected {}", show(text), names::FORM));
    None
}

/// Name, endpoint and connections.
pub(crate) fn common<'a>(walk: &mut Walk, object: &Object<'a>) -> SocketFacts<'a> {
    let name = name(walk, object);
    if let Some(node) = object.get("maxConnections") {
        walk.number(&node, bounds::CONNECTIONS);
    }
    let bind = object.get("bind").and_then(|node| walk.parsed(&node, endpoint::FORM));
    if let Some(node) = object.get("connect") {
        connect(walk, object, &node);
    }
    SocketFacts { path: object.path.clone(), name, bind, ..SocketFacts::default() }
}

/// The endpoints that a socket connects to: instead of being bound, and each once.
fn connect(walk: &mut Walk, object: &Object<'_>, node: &Node<'_>) {
    if object.get("bind").is_some() {
        walk.problem(&node.path, "a socket is bound or connects; remove it, or remove bind");
    }
    if object.get("maxConnections").is_some() {
        let message = "a socket that connects has one connection an endpoint; remove it";
        walk.problem(&object.at("maxConnections"), message);
    }
    let mut earlier: Vec<Remote> = Vec::new();
    for item in walk.items(node, bounds::REMOTES, "endpoints such as [\"tcp://feed:5555\"]") {
        let Some(remote) = walk.parsed::<Remote>(&item, remote::FORM) else { continue };
        if earlier.contains(&remote) {
            walk.problem(&item.path, format!("{remote} is in the list already; remove it"));
        }
        earlier.push(remote);
    }
}

/// Of this version's sockets only `kind` connects.
pub(crate) fn only_connects(walk: &mut Walk, object: &Object<'_>, kind: &str, socket: &str) {
    if socket != kind && object.get("connect").is_some() {
        let message = format!(
            "{socket} with connect: not supported by this version; remove it, or use {kind}"
        );
        walk.problem(&object.at("connect"), message);
    }
}

/// The socket where it is one of this version, with its protocol checked. `side` is `ingress` or
/// `delivery`, `elsewhere` what the other side is called in a message.
pub(crate) fn kind<'a>(
    walk: &mut Walk,
    object: &Object<'a>,
    side: &str,
    elsewhere: &str,
) -> Option<&'a str> {
    let choice = format!("{side}.socket");
    let form = one_of(&features::supported_values(&choice));
    let node = walk.required(object, "socket", &form)?;
    if let Some(text) = node.value.as_str().filter(|text| elsewhere_only(side, text)) {
        walk.problem(&node.path, format!("{text} is a socket of {elsewhere}; expected {form}"));
        return None;
    }
    let socket = walk.choice(&node, &choice)?;
    protocol(walk, object, side, socket);
    Some(socket)
}

/// Whether `socket` exists only on the other side.
fn elsewhere_only(side: &str, socket: &str) -> bool {
    let here = features::values(&format!("{side}.socket"));
    let other = if side == "ingress" { "delivery.socket" } else { "ingress.socket" };
    !here.contains(&socket) && features::values(other).contains(&socket)
}

/// ROUTER needs a protocol; the other sockets of this version have none, though DEALER will.
fn protocol(walk: &mut Walk, object: &Object<'_>, side: &str, socket: &str) {
    let choice = format!("{side}.protocol");
    if socket == "ROUTER" {
        let form = one_of(&features::supported_values(&choice));
        if let Some(node) = walk.required(object, "protocol", &format!("{form} with socket ROUTER"))
        {
            walk.choice(&node, &choice);
        }
    } else if let Some(node) = object.get("protocol").filter(|_| socket == "DEALER") {
        let named = node.value.as_str().filter(|text| features::values(&choice).contains(text));
        let message = match named {
            Some("Pzq") => {
                "Pzq: not supported by this version; remove it for plain REP applications"
            }
            _ => "DEALER has no such protocol; remove it for plain REP applications",
        };
        walk.problem(&node.path, message);
    } else if object.get("protocol").is_some() {
        let message = format!("{socket} has no protocol; remove it, or use socket ROUTER");
        walk.problem(&object.at("protocol"), message);
    }
}
