//! The command line of `lifeboat tail`.

use std::path::PathBuf;

use clap::Args;

use super::{DATA, DATA_VARIABLE, after_help};
use crate::exit::Exit;

/// Options of `lifeboat tail`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat tail work
  lifeboat tail work -n 20 --json | jq .frames

It shows records as they are stored, until ^C. Nothing is consumed, leased or settled, and nothing
is held for it: what is deleted before it was shown is passed over, and the seqs show a gap.",
    &[Exit::Success, Exit::Failure, Exit::BadInput]))]
pub struct Tail {
    /// The stream
    pub stream: String,
    /// Begin with so many records that are there already
    #[arg(short = 'n', long, default_value_t = 0, value_name = "N")]
    pub last: u64,
    /// Bytes of each message that are shown, at most 1 MiB [default: 200, with --json 65536]
    #[arg(long, value_name = "N")]
    pub bytes: Option<u32>,
    /// Data directory of the running queue
    #[arg(long, env = DATA_VARIABLE, default_value = DATA, value_name = "DIR")]
    pub data: PathBuf,
    /// One JSON object a record, as `lifeboat peek` prints them
    #[arg(long)]
    pub json: bool,
}
