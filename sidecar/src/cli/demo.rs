//! The command line of `lifeboat demo`.

use clap::Args;

use super::after_help;
use crate::exit::Exit;

/// Options of `lifeboat demo`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat demo
  lifeboat demo --rounds 20 --seconds 60

It starts a queue in a temporary directory, a producer that waits for receipts and a consumer that
acknowledges, and kills the queue with SIGKILL at odd moments. At the end every message that was
sent must have a receipt and have been delivered; only then does it end with 0.",
    &[Exit::Success, Exit::Failure, Exit::BadInput]))]
pub struct Demo {
    /// How often the queue is killed
    #[arg(long, default_value_t = 5, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Time for all rounds together, in seconds
    #[arg(long, default_value_t = 12, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: u32,
    /// The outcome as JSON
    #[arg(long)]
    pub json: bool,
}
