//! The command line of `lifeboat version`.

use clap::Args;

use super::after_help;
use crate::exit::Exit;

/// Options of `lifeboat version`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat version
  lifeboat version --json", &[Exit::Success, Exit::BadInput]))]
pub struct Version {
    /// As JSON, with the features that this version validates and runs
    #[arg(long)]
    pub json: bool,
}
