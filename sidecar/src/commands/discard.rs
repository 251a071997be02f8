//! `lifeboat discard`.

use super::block_on;
use super::change::Order;
use crate::cli::Discard;
use crate::control::verb::{self, Verb};
use crate::exit::Exit;

/// Settles records by order.
pub fn run(options: &Discard) -> Exit {
    let verb = |dry_run| {
        Verb::Discard(verb::Discard {
            stream: options.stream.clone(),
            delivery: options.delivery.clone(),
            seqs: options.seqs.clone(),
            dry_run,
        })
    };
    let order = Order {
        change: &options.change,
        verb: &verb,
        noun: "record",
        done: format!("discarded from {}.{}", options.stream, options.delivery),
        destroys: Some(options.yes),
    };
    block_on(async { order.carry_out().await })
}
