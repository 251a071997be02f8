//! `lifeboat status`.

use std::time::{SystemTime, UNIX_EPOCH};

use super::failure::Failure;
use super::{ask, block_on, status_table};
use crate::cli::Status;
use crate::exit::Exit;

/// Prints where the queue on `options.data` stands.
pub fn run(options: &Status) -> Exit {
    block_on(async {
        let status = ask::status(&options.data).await?;
        if options.json {
            let text = serde_json::to_string_pretty(&status)
                .map_err(|error| Failure::new(error.to_string()))?;
            println!("{text}");
        } else {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            print!("{}", status_table::render(&status, now));
        }
        Ok(())
    })
}
