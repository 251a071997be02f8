//! `lifeboat receive`.

mod credit;
mod pull;

use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::time::sleep;

use super::block_on;
use super::failure::Failure;
use super::human::count;
use super::printer::Printer;
use super::signals::Signals;
use super::target::{self, Kind, Side};
use crate::cli::Receive;
use crate::exit::Exit;

/// A connection may take so long to come about.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);

/// Receives and prints.
pub fn run(options: &Receive) -> Exit {
    block_on(async {
        let flags = [
            ("--credit", options.protocol.credit, Kind::Credit),
            ("--pull", options.protocol.pull, Kind::Push),
        ];
        let target = target::find(Side::Delivery, &options.target, &options.data, flags).await?;
        let printer = Printer::new(&options.separator, options.json);
        let signals = Signals::listen().map_err(|error| Failure::new(error.to_string()))?;
        let patience = options.timeout.unwrap_or(CONNECT_PATIENCE).min(CONNECT_PATIENCE);
        let job = Job { endpoint: target.endpoint, options, printer, signals, patience };
        match target.kind {
            Kind::Credit => credit::receive(job).await,
            _ => pull::receive(job).await,
        }
    })
}

/// What both ways of receiving need.
struct Job<'a> {
    endpoint: String,
    options: &'a Receive,
    printer: Printer,
    signals: Signals,
    /// For each connection.
    patience: Duration,
}

/// Completes when nothing came in for so long.
async fn idle(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => pending().await,
    }
}

/// Fewer than `--count` is a failure.
fn enough(received: u64, wanted: Option<u64>) -> Result<(), Failure> {
    match wanted {
        Some(wanted) if received < wanted => {
            Err(Failure::new(format!("{} of {} came in", count(received), count(wanted))))
        }
        _ => Ok(()),
    }
}

/// Says how printing failed. A reader that has enough, such as `head`, is none of our business,
/// but its message was not shown.
fn print_failed(error: &io::Error) -> Failure {
    Failure::new(format!("cannot print: {error}"))
}
