//! One delivery.

use super::facts::SocketFacts;
use super::walk::{Node, Object, Walk};
use super::{fields, socket};
use crate::bounds;
use crate::start::{self, StartText};

/// The fields of a delivery that is acknowledged.
const OF_ACKS: [&str; 4] = ["ackTimeout", "maxInFlight", "maxAttempts", "backoff"];

pub(crate) fn check<'a>(walk: &mut Walk, node: &Node<'a>) -> SocketFacts<'a> {
    let Some(delivery) = walk.object(node, fields::DELIVERY) else { return SocketFacts::default() };
    let mut facts = socket::common(walk, &delivery);
    facts.from = from(walk, &delivery);
    facts.socket = socket::kind(walk, &delivery, "delivery", "ingress");
    if let Some(kind) = facts.socket {
        socket::only_connects(walk, &delivery, "PUSH", kind);
    }
    match facts.socket {
        Some("PUSH") => {
            without_acks(walk, &delivery);
            trail(walk, &delivery);
        }
        Some(socket) => {
            if socket == "DEALER" {
                without_window(walk, &delivery);
            }
            acks(walk, &delivery);
            without_trail(walk, &delivery, socket);
        }
        None => {
            acks(walk, &delivery);
            trail(walk, &delivery);
        }
    }
    facts
}

/// The path of the field, if it is there.
fn from(walk: &mut Walk, delivery: &Object<'_>) -> Option<String> {
    let node = delivery.get("from")?;
    walk.parsed::<StartText>(&node, start::FORM);
    Some(node.path)
}

fn without_acks(walk: &mut Walk, delivery: &Object<'_>) {
    for node in OF_ACKS.iter().filter_map(|name| delivery.get(name)) {
        let message = "PUSH has no attempts, a PULL application cannot acknowledge; remove it, \
                       or use socket ROUTER with protocol Credit";
        walk.problem(&node.path, message);
    }
}

fn without_window(walk: &mut Walk, delivery: &Object<'_>) {
    if let Some(node) = delivery.get("maxInFlight") {
        let message = "a REP application has one record at a time; remove it, and start more of \
                       them, or use socket ROUTER with protocol Credit";
        walk.problem(&node.path, message);
    }
}

fn without_trail(walk: &mut Walk, delivery: &Object<'_>, socket: &str) {
    if let Some(node) = delivery.get("trail") {
        let message =
            format!("only PUSH has a trail, {socket} applications acknowledge; remove it");
        walk.problem(&node.path, message);
    }
}

fn acks(walk: &mut Walk, delivery: &Object<'_>) {
    if let Some(node) = delivery.get("ackTimeout") {
        walk.duration(&node, bounds::ACK_TIMEOUT);
    }
    if let Some(node) = delivery.get("maxInFlight") {
        walk.number(&node, bounds::IN_FLIGHT);
    }
    if let Some(node) = delivery.get("maxAttempts") {
        walk.number(&node, bounds::ATTEMPTS);
    }
    if let Some(node) = delivery.get("backoff") {
        for wait in walk.items(&node, bounds::BACKOFF, "durations such as [1s, 10s, 1m]") {
            walk.duration(&wait, bounds::BACKOFF_WAIT);
        }
    }
}

fn trail(walk: &mut Walk, delivery: &Object<'_>) {
    let Some(node) = delivery.get("trail") else { return };
    let Some(trail) = walk.object(&node, fields::TRAIL) else { return };
    if let Some(node) = trail.get("messages") {
        walk.number(&node, bounds::TRAIL_MESSAGES);
    }
    if let Some(node) = trail.get("time") {
        walk.duration(&node, bounds::TRAIL_TIME);
    }
}
