//! `lifeboat seek`.

use super::human::count;
use super::{Failure, ask, block_on};
use crate::cli;
use crate::exit::Exit;
use crate::seek::{Seek, Sought};

/// Moves a cursor of the queue on `options.data`.
pub fn run(options: &cli::Seek) -> Exit {
    block_on(async {
        let order = Seek {
            stream: options.stream.clone(),
            delivery: options.delivery.clone(),
            to: options.to.clone(),
            dry_run: options.dry_run,
        };
        let sought = ask::seek(&options.data, order).await?;
        if options.json {
            let text = serde_json::to_string_pretty(&sought)
                .map_err(|error| Failure::new(error.to_string()))?;
            println!("{text}");
        } else {
            println!("{}", text(options, &sought));
        }
        Ok(())
    })
}

fn text(options: &cli::Seek, sought: &Sought) -> String {
    let cli::Seek { stream, delivery, dry_run, .. } = options;
    let Sought { from, cursor, again, skipped } = *sought;
    let (verb, again, skipped) =
        (if *dry_run { "would go" } else { "went" }, count(again), count(skipped));
    format!(
        "{stream}.{delivery} {verb} from seq {from} to {cursor}: {again} settled records are \
         delivered again, {skipped} unsettled ones are not delivered"
    )
}
