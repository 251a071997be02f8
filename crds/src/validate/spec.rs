//! `spec` and its small parts: storage, durability, sidecar.

use super::facts::{Facts, Written};
use super::walk::{Node, Walk};
use super::{fields, stream};
use crate::{bounds, quantity};

const STREAMS_FORM: &str = "a list of 1 to 8 streams";
const INTERVAL_FORM: &str = "a duration string such as \"200ms\"";
const STORAGE_FORM: &str = "a mapping such as {size: 10Gi}";

pub(crate) fn check<'a>(walk: &mut Walk, node: &Node<'a>) -> Facts<'a> {
    let mut facts = Facts::default();
    let Some(spec) = walk.object(node, fields::SPEC) else { return facts };
    if let Some(node) = walk.required(&spec, "storage", STORAGE_FORM) {
        facts.storage_size = storage(walk, &node);
    }
    if let Some(node) = spec.get("durability") {
        durability(walk, &node);
    }
    if let Some(node) = spec.get("sidecar") {
        sidecar(walk, &node);
    }
    if let Some(node) = walk.required(&spec, "streams", STREAMS_FORM) {
        let items = walk.items(&node, bounds::STREAMS, "streams");
        facts.streams = items.iter().map(|node| stream::check(walk, node)).collect();
    }
    facts
}

fn storage(walk: &mut Walk, node: &Node<'_>) -> Option<u64> {
    let storage = walk.object(node, fields::STORAGE)?;
    let size = walk.required(&storage, "size", quantity::FORM)?;
    walk.bytes(&size, bounds::STORAGE)
}

fn durability(walk: &mut Walk, node: &Node<'_>) {
    let Some(durability) = walk.object(node, fields::DURABILITY) else { return };
    let sync = durability.get("sync");
    let sync = Written::of(sync.as_ref(), |node| walk.choice(node, "durability.sync"));
    let interval = durability.get("interval");
    if let Some(interval) = &interval {
        walk.duration(interval, bounds::SYNC_INTERVAL);
    }
    match (sync, interval) {
        (Written::Good("Interval"), None) => {
            walk.required(&durability, "interval", INTERVAL_FORM);
        }
        (Written::Absent | Written::Good("Always" | "None"), Some(interval)) => {
            let message = "only sync Interval has an interval; remove it, or use sync Interval";
            walk.problem(&interval.path, message);
        }
        _ => {}
    }
}

fn sidecar(walk: &mut Walk, node: &Node<'_>) {
    let Some(sidecar) = walk.object(node, fields::SIDECAR) else { return };
    if let Some(memory) = sidecar.get("memory") {
        walk.bytes(&memory, bounds::MEMORY);
    }
}
