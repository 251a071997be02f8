//! The command line of `lifeboat purge`.

use clap::{ArgGroup, Args};

use super::{Change, after_help};
use crate::exit::Exit;

/// Options of `lifeboat purge`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what"),
    after_help = after_help("\
Examples:
  lifeboat purge work --dry-run             # how much it would be
  lifeboat purge work                       # every record, for every delivery
  lifeboat purge work --delivery workers    # every record, for one delivery
  lifeboat purge work --dead-letters
  lifeboat purge work --removed old         # a delivery that the file does not name any more
  lifeboat purge gone                       # a stream that it does not name any more: all of it

WHAT IS PURGED IS GONE. Without an option the dead letters stay, but for a stream that the file does
not name any more: that one is removed. Records that come in later are not concerned.", &[Exit::Success, Exit::Failure, Exit::BadInput]))]
pub struct Purge {
    /// The stream
    pub stream: String,
    /// Its dead letters
    #[arg(long, group = "what")]
    pub dead_letters: bool,
    /// Every record, for this delivery
    #[arg(long, value_name = "NAME", group = "what")]
    pub delivery: Option<String>,
    /// A delivery that the file does not name any more: it holds its data until it is purged
    #[arg(long, value_name = "NAME", group = "what")]
    pub removed: Option<String>,
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
    /// How it is done
    #[command(flatten)]
    pub change: Change,
}
