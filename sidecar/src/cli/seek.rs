//! The command line of `lifeboat seek`.

use clap::Args;

use super::{Change, after_help};
use crate::control::verb;
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
    /// How it is done
    #[command(flatten)]
    pub change: Change,
}

/// A place that can be read, as it was written.
fn place(text: &str) -> Result<String, String> {
    verb::Seek::place(text).map(|_| text.to_owned())
}
