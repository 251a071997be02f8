//! The command line of `lifeboat receive`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{DATA, DATA_VARIABLE, after_help, duration};
use crate::exit::Exit;

/// Options of `lifeboat receive`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat receive work.workers                     # until ^C
  lifeboat receive work.workers --count 1 --no-ack  # look at the next one, and leave it there
  lifeboat receive work.workers --timeout 5s --json | jq .seq
  lifeboat receive tcp://queue:5557 --credit        # without a data directory

From a Credit delivery each message is acknowledged once it is printed: THE APPLICATION WILL NOT GET
IT. What went into a pipe counts as printed, so use --count rather than `| head`. With --no-ack they
are handed out again, and the queue hands out no more than maxInFlight of them.

From a PUSH delivery nothing can be acknowledged: what was read is gone from it, except for the trail
that the queue sends again.", &[Exit::Success, Exit::Failure, Exit::BadInput]))]
pub struct Receive {
    /// A delivery of the running queue, as stream.name, or an endpoint's URL
    pub target: String,
    /// Data directory of the running queue, in which TARGET is looked up
    #[arg(long, env = DATA_VARIABLE, default_value = DATA, value_name = "DIR")]
    pub data: PathBuf,
    /// For a URL
    #[command(flatten)]
    pub protocol: Protocol,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Print and do not acknowledge
    #[arg(long)]
    pub no_ack: bool,
    /// End when nothing came in for so long [default: wait for ever]
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub timeout: Option<Duration>,
    /// What is printed between the frames of a message
    #[arg(long, default_value = "|", value_name = "TEXT")]
    pub separator: String,
    /// One JSON object a message: seq, attempt and frames (text, or {"base64": ..})
    #[arg(long, conflicts_with = "separator")]
    pub json: bool,
}

/// What is spoken at an endpoint that was given as a URL.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
pub struct Protocol {
    /// TARGET is the URL of a delivery with acknowledgements (ROUTER, Credit)
    #[arg(long)]
    pub credit: bool,
    /// TARGET is the URL of a delivery without (PUSH)
    #[arg(long)]
    pub pull: bool,
}
