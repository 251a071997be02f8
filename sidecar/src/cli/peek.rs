//! The command line of `lifeboat peek`.

use std::path::PathBuf;

use clap::Args;

use super::{DATA, DATA_VARIABLE, after_help};
use crate::exit::Exit;

/// Options of `lifeboat peek`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat peek work                          # the oldest records that are not settled
  lifeboat peek work --delivery workers -n 3  # the next ones of one delivery
  lifeboat peek work --dead-letters           # what was given up, by whom and why
  lifeboat peek work --from 120 --json | jq .frames

Nothing is consumed, leased or settled.", &[Exit::Success, Exit::Failure, Exit::BadInput]))]
pub struct Peek {
    /// The stream
    pub stream: String,
    /// Only what this delivery has not settled
    #[arg(long, value_name = "NAME")]
    pub delivery: Option<String>,
    /// The dead letters instead; with --delivery, those that it gave up
    #[arg(long)]
    pub dead_letters: bool,
    /// So many at most
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
    pub count: u64,
    /// From this seq on [default: the oldest that is not settled]
    #[arg(long, value_name = "SEQ")]
    pub from: Option<u64>,
    /// Bytes of each message that are shown, at most 1 MiB [default: 200, with --json 65536]
    #[arg(long, value_name = "N")]
    pub bytes: Option<u32>,
    /// Data directory of the running queue
    #[arg(long, env = DATA_VARIABLE, default_value = DATA, value_name = "DIR")]
    pub data: PathBuf,
    /// One JSON object a record: seq, time (Unix, in ns), size, frames (text, or {"base64": ..}),
    /// cut, and a dead letter's label
    #[arg(long)]
    pub json: bool,
}
