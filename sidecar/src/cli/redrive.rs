//! The command line of `lifeboat redrive`.

use clap::{ArgGroup, Args};

use super::{Change, after_help};
use crate::control::verb::Span;
use crate::exit::Exit;

/// Options of `lifeboat redrive`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("which").required(true),
    after_help = after_help("\
Examples:
  lifeboat peek work --dead-letters
  lifeboat redrive work --seq 3 --seq 7-20
  lifeboat redrive work --all --delivery workers --dry-run

Each dead letter is stored in its stream again, with a new seq, and synced; then it is taken from the
dead letters. It goes to the delivery that gave it up and to no other, with all its attempts before
it. A crash in between can leave it in both places, and can show it to the stream's other
deliveries: a duplicate, never a loss.", &[Exit::Success, Exit::Failure, Exit::BadInput]))]
pub struct Redrive {
    /// The stream
    pub stream: String,
    /// Only what this delivery gave up
    #[arg(long, value_name = "NAME")]
    pub delivery: Option<String>,
    /// These, by their seq among the dead letters: 7, or a run such as 7-20
    #[arg(long, value_name = "SEQ", group = "which")]
    pub seq: Vec<Span>,
    /// All of them
    #[arg(long, group = "which")]
    pub all: bool,
    /// How it is done
    #[command(flatten)]
    pub change: Change,
}
