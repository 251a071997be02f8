//! The command line of `lifeboat seek`.

use std::path::PathBuf;

use clap::Args;

use super::{DATA, after_help};
use crate::exit::Exit;

/// Options of `lifeboat seek`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat seek work audit first
  lifeboat seek work audit 1200 --dry-run
  lifeboat seek work audit 2026-01-31T08:00:00Z
  lifeboat seek work audit new

Everything below the place counts as settled, everything from there on is delivered, again if need
be. Leases are revoked; an acknowledgement of before still settles its record. What the stream does not
keep any more is passed over; in a work queue that is all that every delivery had settled and whose
segment is gone.", &[Exit::Success, Exit::Failure, Exit::BadInput]))]
pub struct Seek {
    /// The stream
    #[arg(value_name = "STREAM")]
    pub stream: String,
    /// The delivery whose cursor moves
    #[arg(value_name = "DELIVERY")]
    pub delivery: String,
    /// first, last, new, a seq, or a time in UTC (RFC 3339)
    #[arg(value_name = "PLACE", value_parser = place)]
    pub to: String,
    /// Only say what would be delivered again, and what would not be any more
    #[arg(long)]
    pub dry_run: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Data directory of the running queue
    #[arg(long, default_value = DATA, value_name = "DIR")]
    pub data: PathBuf,
}

/// A place that can be read, as it was written.
fn place(text: &str) -> Result<String, String> {
    crate::seek::parse(text).map(|_| text.to_owned())
}
