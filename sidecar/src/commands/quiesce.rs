//! `lifeboat quiesce`.

use tokio::time::timeout;

use super::failure::Failure;
use super::human::counted;
use super::{ask, block_on, print_json};
use crate::cli::Quiesce;
use crate::control::verb::{Quiesced, Verb};
use crate::exit::Exit;

/// Has the queue on `options.data` take nothing more from outside.
pub fn run(options: &Quiesce) -> Exit {
    block_on(async {
        let asked = ask::verb(&options.data, Verb::Quiesce, |_| Ok(()));
        let quiesced: Quiesced = timeout(options.timeout, asked).await.map_err(|_| {
            Failure::new(
                "quiesced, but not everything that was read is synced yet; `lifeboat status` shows \
                 whether a stream is full",
            )
        })??;
        if options.json {
            return print_json(&quiesced);
        }
        let left = counted(quiesced.depth, "record");
        println!("nothing is taken from outside any more; {left} still to be settled");
        Ok(())
    })
}
