//! The command line of `lifeboat dump`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::after_help;
use crate::exit::Exit;

/// Options of `lifeboat dump`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat dump ./lifeboat-data --stream work > work.jsonl
  lifeboat dump ./lifeboat-data --dead-letters | jq -r '.frames[0]'
  lifeboat dump ./lifeboat-data --stream work --from 1000 --to 2000 --format raw > work.zmtp

It prints every record that can be read, settled ones included as long as they are kept, and passes
over what is damaged: where records are missing, it says so on stderr. A frame that is no text is
{\"base64\": ..}; raw is each message's ZMTP frames, back to back. No queue may run there.",
    &[Exit::Success, Exit::Failure, Exit::BadInput, Exit::Locked]))]
pub struct Dump {
    /// The data directory
    pub dir: PathBuf,
    /// One stream alone
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
    /// The dead letters instead of the records
    #[arg(long)]
    pub dead_letters: bool,
    /// The first seq
    #[arg(long, default_value_t = 0, value_name = "SEQ")]
    pub from: u64,
    /// The seq after the last
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true, value_name = "SEQ")]
    pub to: u64,
    /// What a record is printed as
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,
}

/// What a record is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A JSON object a line: stream, seq, Unix time in nanoseconds, frames
    Json,
    /// The message's ZMTP frames
    Raw,
}
