//! `lifeboat seek`.

use super::human::counted;
use super::{Failure, ask, block_on};
use crate::cli;
use crate::control::verb::{Seek, Sought, Verb};
use crate::exit::Exit;

/// Moves a cursor of a running queue.
pub fn run(options: &cli::Seek) -> Exit {
    let cli::Seek { stream, delivery, to, change } = options;
    let verb = Verb::Seek(Seek {
        stream: stream.clone(),
        delivery: delivery.clone(),
        to: to.clone(),
        dry_run: change.dry_run,
    });
    block_on(async {
        let sought: Sought = ask::verb(&change.data, verb, |_| Ok(())).await?;
        if change.json {
            let text = serde_json::to_string(&sought);
            println!("{}", text.map_err(|error| Failure::new(error.to_string()))?);
            return Ok(());
        }
        let Sought { from, cursor, again, skipped, dry_run } = sought;
        let verb = if dry_run { "would go" } else { "went" };
        let (again, skipped) =
            (counted(again, "settled record"), counted(skipped, "unsettled record"));
        println!(
            "{stream}.{delivery} {verb} from seq {from} to {cursor}: delivered again: {again}; \
             not delivered: {skipped}"
        );
        Ok(())
    })
}
