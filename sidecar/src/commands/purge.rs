//! `lifeboat purge`.

use super::block_on;
use super::change::Order;
use crate::cli::Purge;
use crate::control::verb::{self, PurgeWhat, Verb};
use crate::exit::Exit;

/// Settles, or removes, everything of a kind.
pub fn run(options: &Purge) -> Exit {
    let stream = &options.stream;
    let (what, noun, done) = match (&options.delivery, &options.removed) {
        (Some(name), _) => {
            (PurgeWhat::Delivery(name.clone()), "record", format!("purged from {stream}.{name}"))
        }
        (_, Some(name)) => (
            PurgeWhat::Removed(name.clone()),
            "record",
            format!("purged with the removed delivery {stream}.{name}"),
        ),
        _ if options.dead_letters => {
            (PurgeWhat::DeadLetters, "dead letter", format!("purged from {stream}"))
        }
        _ => (PurgeWhat::Everything, "record", format!("purged from {stream}")),
    };
    let verb =
        |dry_run| Verb::Purge(verb::Purge { stream: stream.clone(), what: what.clone(), dry_run });
    let order =
        Order { change: &options.change, verb: &verb, noun, done, destroys: Some(options.yes) };
    block_on(async { order.carry_out().await })
}
