//! What all commands have in common that change a running queue.

use std::path::PathBuf;

use clap::Args;

use super::{DATA, DATA_VARIABLE};

/// How a change is made.
#[derive(Debug, Clone, Args)]
pub struct Change {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Data directory of the running queue
    #[arg(long, env = DATA_VARIABLE, default_value = DATA, value_name = "DIR")]
    pub data: PathBuf,
    /// The outcome as JSON: numbers, and dryRun
    #[arg(long)]
    pub json: bool,
}
