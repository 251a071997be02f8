//! `lifeboat accept-gap`.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use lifeboat_log::disk::Disk;
use lifeboat_log::{Accepted, offline};

use super::check::{check, render};
use super::failure::Failure;
use super::human::counted;
use super::{ask, block_on};
use crate::cli::AcceptGap;
use crate::control::{self, Reply, Request};
use crate::exit::Exit;

/// Lets a stream go on behind what is damaged.
pub fn run(options: &AcceptGap) -> Exit {
    block_on(async {
        if !options.yes {
            let report = check(&options.data, Some(&options.stream), true)?;
            print!("{}", render(&report));
            if options.dry_run || !confirmed()? {
                return Ok(());
            }
        }
        let accepted = accept(&options.data, &options.stream).await?;
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

/// Asks whoever sits at the terminal.
fn confirmed() -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("nobody to ask here: say --yes, or --dry-run"));
    }
    print!("What is lost stays lost. Go on without it? [y/N] ");
    let asked = io::stdout().flush().and_then(|()| {
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = asked.map_err(|error| Failure::new(error.to_string()))?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

/// Through the queue that runs on `data`, or, if none does, on the directory itself.
async fn accept(data: &Path, stream: &str) -> Result<Accepted, Failure> {
    let request = Request::AcceptGap { stream: stream.to_owned() };
    match control::ask(data, &request).await {
        Ok(Reply::Accepted(accepted)) => Ok(accepted.into()),
        Ok(Reply::Error(error)) => Err(Failure::new(error)),
        Ok(Reply::Status(_) | Reply::Sought(_)) => {
            Err(Failure::new("the queue answered something else"))
        }
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            accept_offline(data, stream)
        }
        Err(error) => Err(ask::failure(data, &error)),
    }
}

fn accept_offline(data: &Path, stream: &str) -> Result<Accepted, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    let outcome = offline::accept_gap(Arc::new(Disk::new()), data, stream, nanos, rand::random())?;
    match outcome.stopped {
        Some(why) => Err(Failure::new(format!("stream {stream} stays stopped: {why}"))),
        None => Ok(outcome.accepted),
    }
}
