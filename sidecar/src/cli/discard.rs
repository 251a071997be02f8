//! The command line of `lifeboat discard`.

use clap::Args;

use super::{Change, after_help};
use crate::control::verb::Span;
use crate::exit::Exit;

/// Options of `lifeboat discard`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat peek work --delivery workers
  lifeboat discard work workers 17 20-25
  lifeboat discard work workers 17 --dry-run

The records count as settled for this delivery: it does not deliver them any more, and an application
that has one of them need not acknowledge it. THEY ARE NOT KEPT AS DEAD LETTERS. Other deliveries
are not concerned.", &[Exit::Success, Exit::Failure, Exit::BadInput]))]
pub struct Discard {
    /// The stream
    pub stream: String,
    /// The delivery
    pub delivery: String,
    /// The records: seqs, or runs such as 20-25
    #[arg(required = true, value_name = "SEQ")]
    pub seqs: Vec<Span>,
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
    /// How it is done
    #[command(flatten)]
    pub change: Change,
}
