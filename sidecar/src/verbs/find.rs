//! Finds what a verb names, and says what there is when it is not there.

use std::sync::Arc;

use crate::control::{Code, VerbError};
use crate::delivery::cursor::Cursor;
use crate::node::{DeliveryNode, Node, StreamNode};

/// The stream of that name, also when the file does not name it any more.
///
/// # Errors
/// `NotFound`, with the names that exist.
pub(super) fn stream(node: &Node, name: &str) -> Result<Arc<StreamNode>, VerbError> {
    let all: Vec<_> = node.streams.iter().chain(node.removed().iter()).cloned().collect();
    all.iter().find(|stream| stream.name == name).cloned().ok_or_else(|| {
        let names = all.iter().map(|stream| stream.name.as_str());
        not_found(&format!("stream {name} in queue {}", node.name), names)
    })
}

/// The delivery of that name that the file has.
///
/// # Errors
/// `NotFound`, with the names that exist.
pub(super) fn delivery(stream: &StreamNode, name: &str) -> Result<DeliveryNode, VerbError> {
    let deliveries = stream.deliveries();
    let found = deliveries.iter().find(|delivery| delivery.socket.name == name).cloned();
    found.ok_or_else(|| {
        let names = deliveries.iter().map(|delivery| delivery.socket.name.as_str());
        not_found(&format!("delivery {name} on stream {}", stream.name), names)
    })
}

/// What the delivery of that name has settled, also when the file does not name it any more.
///
/// # Errors
/// `NotFound`, with the names that exist.
pub(super) fn cursor(stream: &StreamNode, name: &str) -> Result<Cursor, VerbError> {
    let removed = stream.removed().iter().find(|removed| removed.name == name).cloned();
    match removed {
        Some(removed) => Ok(removed.cursor(&stream.log)),
        None => Ok(delivery(stream, name)?.outlet.standing().cursor),
    }
}

/// `what` is not there; these are.
pub(super) fn not_found<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> VerbError {
    let names: Vec<&str> = names.collect();
    let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    VerbError::new(Code::NotFound, format!("no {what}: there is {there}"))
}
