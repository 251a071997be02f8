//! `lifeboat redrive`.

use super::block_on;
use super::change::Order;
use crate::cli::Redrive;
use crate::control::verb::{self, Verb};
use crate::exit::Exit;

/// Puts dead letters back into their stream.
pub fn run(options: &Redrive) -> Exit {
    let verb = |dry_run| {
        Verb::Redrive(verb::Redrive {
            stream: options.stream.clone(),
            delivery: options.delivery.clone(),
            seqs: (!options.all).then(|| options.seq.clone()),
            dry_run,
        })
    };
    let order = Order {
        change: &options.change,
        verb: &verb,
        noun: "dead letter",
        done: format!("redriven into {}", options.stream),
        destroys: None,
    };
    block_on(async { order.carry_out().await })
}
