//! The command line of `lifeboat accept-gap`.

use std::path::PathBuf;

use clap::Args;

use super::{DATA, DATA_VARIABLE, after_help};
use crate::exit::Exit;

/// Options of `lifeboat accept-gap`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat accept-gap work --dry-run
  lifeboat accept-gap work
  lifeboat accept-gap work --data /var/lib/orders --yes

It lets a stream go on that damage has stopped. Every record that can be read is kept; those that
cannot are lost for good, and on record as a gap. The damaged bytes are copied to the stream's
quarantine/, and what was done to its audit.log. It works through the queue that runs on the data
directory, or on the directory itself if none does. Without --yes it reads the whole stream first
and says what it would cost.", &[Exit::Success, Exit::Failure, Exit::BadInput, Exit::BadVolume, Exit::Locked]))]
pub struct AcceptGap {
    /// The stream
    pub stream: String,
    /// Data directory of the queue
    #[arg(long, env = DATA_VARIABLE, default_value = DATA, value_name = "DIR")]
    pub data: PathBuf,
    /// Only say what it would cost
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// The outcome as JSON: places, lost, kept; with --dry-run as `lifeboat check --json`
    #[arg(long)]
    pub json: bool,
}
