//! The command line of `lifeboat check`.

use std::path::PathBuf;

use clap::Args;

use super::after_help;
use crate::exit::Exit;

/// Options of `lifeboat check`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat check ./lifeboat-data
  lifeboat check /var/lib/orders --stream work
  lifeboat check ./lifeboat-data --json | jq '.findings[] | select(.severity == \"damage\")'

It reads every file and verifies every checksum, and changes nothing. No queue may run there.",
    &[Exit::Success, Exit::Failure, Exit::BadInput, Exit::BadVolume, Exit::Locked]))]
pub struct Check {
    /// The data directory
    pub dir: PathBuf,
    /// One stream alone
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}
