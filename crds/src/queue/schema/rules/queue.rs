//! Rules of the queue as a whole: its name, its volume, its endpoints.

use super::{Rule, on_every_interface, unchanged, within};
use crate::bounds;
use crate::names::QUEUE_FORM;
use crate::quantity::format_bytes;

/// What a stream's sockets `{0}` bind.
const BINDS: &str = "({0}.ingress.filter(i, has(i.bind)).map(i, i.bind) \
                     + {0}.deliveries.filter(d, has(d.bind)).map(d, d.bind))";

pub(super) fn rules() -> Vec<Rule> {
    vec![
        name(),
        endpoints(),
        Rule::new(
            "spec.durability",
            "(has(self.sync) && self.sync == 'Interval') == has(self.interval)",
            "interval goes with sync Interval, which needs one; write both or neither",
        ),
        within("spec.durability.interval", "interval", &bounds::SYNC_INTERVAL),
        Rule::new(
            "spec.storage",
            "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
            "size never shrinks; write at least the size that it had",
        ),
        at_least("spec.storage.size", "size", *bounds::STORAGE.start()),
        unchanged("spec.storage", "storageClassName"),
        unchanged("spec.storage", "accessMode"),
        at_least("spec.streams[].retention.maxBytes", "maxBytes", *bounds::MAX_BYTES.start()),
        at_least("spec.sidecar.memory", "memory", *bounds::MEMORY.start()),
    ]
}

fn name() -> Rule {
    let most = bounds::QUEUE_NAME_LENGTH;
    let rule = format!(
        "self.metadata.name.size() <= {most} && \
         self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')"
    );
    Rule::new("", rule, format!("metadata.name is no valid name; expected {QUEUE_FORM}"))
}

/// No endpoint is bound twice. A port on every interface collides with that port on any; ports
/// that the system picks collide with none. Hosts are compared as they are written.
fn endpoints() -> Rule {
    let [ours, theirs] = ["s", "t"].map(|stream| BINDS.replace("{0}", stream));
    let rule = format!(
        "self.streams.all(s, {ours}.all(x, x.matches(':(0+|[*])$') || \
         self.streams.map(t, {theirs}.filter(y, y == x || \
         x.startsWith('tcp://') && y.startsWith('tcp://') && \
         y.endsWith(x.substring(x.lastIndexOf(':'))) && ({} || {})).size()).sum() == 1))",
        on_every_interface("x"),
        on_every_interface("y")
    );
    let message = "streams: two sockets bind the same endpoint; choose another port or path";
    Rule::new("spec", rule, message)
}

/// A quantity of bytes is at least `least`.
fn at_least(at: &'static str, field: &str, least: u64) -> Rule {
    let least = format_bytes(least);
    let rule = format!("!isQuantity(self) || quantity(self).compareTo(quantity('{least}')) >= 0");
    Rule::new(at, rule, format!("{field} is too small; expected at least {least}"))
}
