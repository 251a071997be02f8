//! The command line: what can be said, and its help. What it does is in [`crate::commands`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::exit::Exit;

/// Durable queues for ZeroMQ applications.
///
/// A message is safe once Lifeboat has given its receipt: it is written and synced to the volume,
/// and it is delivered until the application acknowledges it or it is parked as a dead letter.
#[derive(Debug, Parser)]
#[command(name = "lifeboat", version, propagate_version = true, after_help = exit_codes())]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a queue's streams here, without Kubernetes
    Run(Run),
    /// Say the version and what it supports
    Version(Version),
}

/// Options of `lifeboat run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lifeboat run examples/work-queue.yaml
  lifeboat run queue.yaml --data /var/lib/orders --host 0.0.0.0 --admin 127.0.0.1:9500

The file is a PersistentQueue as you would `kubectl apply` it. One replica runs here; what only the
operator heeds is accepted and ignored. SIGINT and SIGTERM stop it: intake ends, everything is
synced, what is stored stays. A second signal ends it at once.")]
pub struct Run {
    /// The queue's file
    pub file: PathBuf,
    /// Data directory; made if it is not there
    #[arg(long, default_value = "./lifeboat-data", value_name = "DIR")]
    pub data: PathBuf,
    /// Directory of ipc sockets [default: <DATA>/sockets]
    #[arg(long, value_name = "DIR")]
    pub sockets: Option<PathBuf>,
    /// What `*` means in an endpoint's host
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDR")]
    pub host: String,
    /// Where metrics, probes and status are served over HTTP, or `off`
    #[arg(long, default_value = "127.0.0.1:9464", value_name = "ADDR")]
    pub admin: AdminAddress,
}

/// An address, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminAddress(pub Option<SocketAddr>);

impl FromStr for AdminAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let address = text.parse().map_err(|_| {
            format!("{text:?} is neither an address with a port, such as 127.0.0.1:9464, nor off")
        })?;
        Ok(Self(Some(address)))
    }
}

/// Options of `lifeboat version`.
#[derive(Debug, Args)]
pub struct Version {
    /// As JSON, with the features that this version validates and runs
    #[arg(long)]
    pub json: bool,
}

impl Cli {
    /// Does what was said.
    pub fn run(self) -> Exit {
        match self.command {
            Command::Run(options) => commands::run::run(&options),
            Command::Version(options) => commands::version::run(&options),
        }
    }
}

fn exit_codes() -> String {
    let lines = Exit::ALL.map(|exit| format!("  {:>2}  {}", exit.code(), exit.meaning()));
    format!("Exit codes:\n{}", lines.join("\n"))
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
    fn the_admin_address_is_an_address_or_off() {
        assert_eq!("off".parse(), Ok(AdminAddress(None)));
        assert!("127.0.0.1:0".parse::<AdminAddress>().is_ok());
        assert!("9464".parse::<AdminAddress>().unwrap_err().contains("127.0.0.1:9464"));
    }
}
