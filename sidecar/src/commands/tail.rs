//! `lifeboat tail`.

use std::io::{self, Write};

use tokio::select;

use super::failure::Failure;
use super::signals::Signals;
use super::{ask, block_on, seen};
use crate::cli::Tail;
use crate::control::client::Told;
use crate::control::verb::{self, Seen, Verb};
use crate::exit::Exit;

/// Prints records as they come, until ^C.
pub fn run(options: &Tail) -> Exit {
    block_on(async {
        let usual = if options.json { seen::FOR_MACHINES } else { seen::FOR_PEOPLE };
        let verb = Verb::Tail(verb::Tail {
            stream: options.stream.clone(),
            last: options.last,
            bytes: options.bytes.unwrap_or(usual),
        });
        let mut signals = Signals::listen().map_err(|error| Failure::new(error.to_string()))?;
        let told = |told| match told {
            Told::Item(item) if options.json => line(&item.to_string()),
            Told::Item(item) => {
                let seen: Seen = serde_json::from_value(item)?;
                line(&format!("{}  {}", seen.seq, seen.message.line()))
            }
            Told::Progress(_) => Ok(()),
        };
        select! {
            ended = ask::verb::<()>(&options.data, verb, told) => ended,
            () = signals.next() => Ok(()),
        }
    })
}

/// Prints a line that has left the process when this returns.
fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
