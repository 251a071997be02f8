//! The command line: what can be said, and its help. What it does is in [`crate::commands`].

mod accept_gap;
mod change;
mod check;
mod completions;
mod demo;
mod discard;
mod dump;
mod peek;
mod purge;
mod quiesce;
mod receive;
mod redrive;
mod run;
mod seek;
mod send;
mod status;
mod tail;
mod version;

use std::time::Duration;

use clap::{Parser, Subcommand};
use lifeboat_api::DurationText;

pub use self::accept_gap::AcceptGap;
pub use self::change::Change;
pub use self::check::Check;
pub use self::completions::Completions;
pub use self::demo::Demo;
pub use self::discard::Discard;
pub use self::dump::{Dump, Format as DumpFormat};
pub use self::peek::Peek;
pub use self::purge::Purge;
pub use self::quiesce::Quiesce;
pub use self::receive::{Protocol as ReceiveProtocol, Receive};
pub use self::redrive::Redrive;
pub use self::run::{AdminAddress, Run};
pub use self::seek::Seek;
pub use self::send::{Protocol as SendProtocol, Send};
pub use self::status::Status;
pub use self::tail::Tail;
pub use self::version::Version;
use crate::commands;
use crate::exit::Exit;

/// Where a queue's data is unless the user says otherwise.
const DATA: &str = "./lifeboat-data";
/// Says where it is for every command; set in the sidecar's image.
const DATA_VARIABLE: &str = "LIFEBOAT_DATA";

/// Durable queues for ZeroMQ applications.
///
/// A message is safe once Lifeboat has given its receipt: it is written and synced to the volume,
/// and it is delivered until the application acknowledges it or it is parked as a dead letter.
#[derive(Debug, Parser)]
#[command(name = "lifeboat", version, propagate_version = true, after_help = exit_codes(&Exit::ALL))]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a queue's streams here, without Kubernetes
    Run(Run),
    /// Kill a queue a few times while it works, and count what is lost
    Demo(Demo),
    /// Say where a running queue stands
    Status(Status),
    /// Look at records without consuming them
    Peek(Peek),
    /// Follow a stream without consuming it
    Tail(Tail),
    /// Put dead letters back into their stream
    Redrive(Redrive),
    /// Settle single records for one delivery
    Discard(Discard),
    /// Settle or remove everything of a kind
    Purge(Purge),
    /// Send messages to a queue
    Send(Send),
    /// Receive messages from a queue
    Receive(Receive),
    /// Move the cursor of a delivery: read again, or pass over
    Seek(Seek),
    /// Verify every file of a data directory
    Check(Check),
    /// Print the records of a data directory
    Dump(Dump),
    /// Let a stream go on that damage has stopped
    AcceptGap(AcceptGap),
    /// Take nothing more from outside, until the queue ends
    Quiesce(Quiesce),
    /// Say the version and what it supports
    Version(Version),
    /// Print a completion script for a shell
    Completions(Completions),
}

impl Cli {
    /// Does what was said.
    pub fn run(self) -> Exit {
        match self.command {
            Command::Run(options) => commands::run::run(&options),
            Command::Demo(options) => commands::demo::run(&options),
            Command::Status(options) => commands::status::run(&options),
            Command::Peek(options) => commands::peek::run(&options),
            Command::Tail(options) => commands::tail::run(&options),
            Command::Redrive(options) => commands::redrive::run(&options),
            Command::Discard(options) => commands::discard::run(&options),
            Command::Purge(options) => commands::purge::run(&options),
            Command::Send(options) => commands::send::run(&options),
            Command::Receive(options) => commands::receive::run(&options),
            Command::Seek(options) => commands::seek::run(&options),
            Command::Check(options) => commands::check::run(&options),
            Command::Dump(options) => commands::dump::run(&options),
            Command::AcceptGap(options) => commands::accept_gap::run(&options),
            Command::Quiesce(options) => commands::quiesce::run(&options),
            Command::Version(options) => commands::version::run(&options),
            Command::Completions(options) => commands::completions::run(&options),
        }
    }
}

/// Help on how a command may end.
fn exit_codes(exits: &[Exit]) -> String {
    let lines: Vec<String> =
        exits.iter().map(|exit| format!("  {:>2}  {}", exit.code(), exit.meaning())).collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}

/// Examples and exit codes below a command's options.
fn after_help(text: &str, exits: &[Exit]) -> String {
    format!("{text}\n\n{}", exit_codes(exits))
}

/// A time such as `30s`.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<DurationText>().map_err(|error| {
        format!("{error}; write a number and a unit (h, m, s, ms), such as 30s or 1m30s")
    })?;
    Ok(duration.value())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_how_it_may_end() {
        for command in Cli::command().get_subcommands() {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Exit codes:"), "{}", command.get_name());
            assert!(help.contains("Examples:"), "{}", command.get_name());
        }
    }

    #[test]
    fn a_time_needs_a_unit() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert!(duration("30").unwrap_err().contains("such as 30s"));
    }
}
