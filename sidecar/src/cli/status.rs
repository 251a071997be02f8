//! The command line of `lifeboat status`.

use std::path::PathBuf;

use clap::Args;

use super::{DATA, DATA_VARIABLE, after_help};
use crate::exit::Exit;

/// Options of `lifeboat status`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat status
  lifeboat status --data /var/lib/orders
  lifeboat status --json | jq '.streams[] | {name, depth, deadLetters}'

It asks the queue that runs on the data directory. Depth counts the records that at least one
delivery has not settled; the lag of a delivery is how far its cursor is behind the newest synced
record.", &[Exit::Success, Exit::Failure, Exit::BadInput]))]
pub struct Status {
    /// Data directory of the running queue
    #[arg(long, env = DATA_VARIABLE, default_value = DATA, value_name = "DIR")]
    pub data: PathBuf,
    /// As JSON, as /v1/status serves it
    #[arg(long)]
    pub json: bool,
}
