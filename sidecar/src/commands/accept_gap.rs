//! `lifeboat accept-gap`.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use lifeboat_log::disk::Disk;
use lifeboat_log::offline;

use super::change::confirm;
use super::check::{as_json, check, render};
use super::failure::Failure;
use super::human::counted;
use super::{ask, block_on, print_json};
use crate::cli::AcceptGap;
use crate::control::client;
use crate::control::verb::{self, Price, Verb};
use crate::exit::Exit;

/// Lets a stream go on behind what is damaged.
pub fn run(options: &AcceptGap) -> Exit {
    block_on(async {
        if !options.yes {
            let report = check(&options.data, Some(&options.stream), true)?;
            match (options.json, options.dry_run) {
                (true, true) => println!("{}", as_json(&report)),
                // For whoever is asked.
                (true, false) => eprint!("{}", render(&report)),
                (false, _) => print!("{}", render(&report)),
            }
            if options.dry_run {
                return Ok(());
            }
            confirm("what is lost stays lost")?;
        }
        let accepted = accept(&options.data, &options.stream).await?;
        if options.json {
            return print_json(&accepted);
        }
        if accepted.places == 0 {
            println!("stream {} is not damaged", options.stream);
        } else {
            println!(
                "stream {} goes on: {} mended, {} lost, {} of damaged segments kept",
                options.stream,
                counted(accepted.places, "place"),
                counted(accepted.lost, "record"),
                counted(accepted.kept, "record"),
            );
        }
        Ok(())
    })
}

/// Through the queue that runs on `data`, or, if none does, on the directory itself.
async fn accept(data: &Path, stream: &str) -> Result<Price, Failure> {
    let verb = Verb::AcceptGap(verb::AcceptGap { stream: stream.to_owned() });
    match client::ask(data, verb, |_| Ok(())).await {
        Err(error) if ask::runs_nowhere(&error) => accept_offline(data, stream),
        outcome => outcome.map_err(|error| ask::failure(data, error)),
    }
}

fn accept_offline(data: &Path, stream: &str) -> Result<Price, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    let outcome = offline::accept_gap(Arc::new(Disk::new()), data, stream, nanos, rand::random())?;
    match outcome.stopped {
        Some(why) => Err(Failure::new(format!("stream {stream} stays stopped: {why}"))),
        None => Ok(outcome.accepted.into()),
    }
}
