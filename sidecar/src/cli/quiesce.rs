//! The command line of `lifeboat quiesce`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{DATA, DATA_VARIABLE, after_help, duration};
use crate::exit::Exit;

/// Options of `lifeboat quiesce`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat quiesce
  lifeboat quiesce --data /var/lib/lifeboat/data --timeout 40s

Sockets on tcp, and those that connect, are closed towards producers once what has arrived on them
is read and answered. Producers on this machine (ipc) and all deliveries go on. It lasts until the
process ends, and to say it again does nothing more. The command returns when everything that was
read is synced; if that takes longer than --timeout, which a full stream can make it, it ends with 1
and the queue stays quiesced.", &[Exit::Success, Exit::Failure, Exit::BadInput]))]
pub struct Quiesce {
    /// Data directory of the running queue
    #[arg(long, env = DATA_VARIABLE, default_value = DATA, value_name = "DIR")]
    pub data: PathBuf,
    /// Wait so long for what was read to be synced
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = duration)]
    pub timeout: Duration,
    /// The outcome as JSON: state, depth
    #[arg(long)]
    pub json: bool,
}
