//! The command line: what can be said, its help, and how it ends.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use lifeboat_api::DurationText;

use crate::commands;

/// The operator of Lifeboat: makes what belongs to a PersistentQueue, and keeps it so.
#[derive(Debug, Parser)]
#[command(name = "lifeboat-operator", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look after the queues of a cluster
    Run(Run),
    /// Print the CustomResourceDefinition
    Crd,
    /// Make a queue, send through it, read back, remove it
    CheckInstall(CheckInstall),
    /// Say which version this is
    Version(Version),
}

/// Options of `lifeboat-operator run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lifeboat-operator run --sidecar-image ghcr.io/lifeboat-dev/lifeboat:0.1.0
  lifeboat-operator run --sidecar-image lifeboat:dev --watch-namespace shop --watch-namespace lab

The API server is that of $KUBECONFIG or ~/.kube/config, or the one of the pod that this runs in.
Several may run: the one that holds the lease works, the others wait. SIGINT and SIGTERM stop it
between two steps; queues go on without it. LIFEBOAT_LOG filters the log (info).

Exit codes: 0 stopped as told, 1 failed or the lease is lost, 64 wrong command line.")]
pub struct Run {
    /// The sidecar's image of this release
    #[arg(long, value_name = "IMAGE")]
    pub sidecar_image: String,
    /// A namespace to look after; may be repeated [default: all]
    #[arg(long = "watch-namespace", value_name = "NAMESPACE")]
    pub watch_namespaces: Vec<String>,
    /// Where /livez, /readyz and /metrics are served
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// The Lease by which one of several operators is chosen
    #[arg(long, default_value = "lifeboat-operator", value_name = "NAME")]
    pub lease_name: String,
    /// The name of this operator's pod, unique among its replicas
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub pod_name: String,
    /// The namespace of this operator's pod, which the Lease is in
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pub pod_namespace: String,
}

/// Options of `lifeboat-operator check-install`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lifeboat-operator check-install --image ghcr.io/lifeboat-dev/lifeboat:0.1.0 --namespace lab
  lifeboat-operator check-install --image lifeboat:dev --messages 1000 --keep-failed

It makes a queue with one replica and a claim, waits until it is ready, sends messages over tcp,
waits for their receipts, reads each of them back, and removes what it has made. It must run where
the queue's Service can be reached, or be told the host by --host.

Exit codes: 0 everything came back, 1 something did not work, 64 wrong command line.")]
pub struct CheckInstall {
    /// The image of the queue's application: the sidecar's, which has the `lifeboat` command
    #[arg(long, value_name = "IMAGE")]
    pub image: String,
    /// The namespace in which the queue is made
    #[arg(long, env = "POD_NAMESPACE", default_value = "default", value_name = "NAMESPACE")]
    pub namespace: String,
    /// The storage class of its claim [default: the cluster's]
    #[arg(long, value_name = "NAME")]
    pub storage_class: Option<String>,
    /// Messages to send
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub messages: u32,
    /// For each of: becoming ready, the messages, the removal
    #[arg(long, default_value = "2m", value_parser = duration, value_name = "TIME")]
    pub timeout: Duration,
    /// The host at which the queue is reached [default: its Service]
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Leave the queue there when something does not work, to be looked at
    #[arg(long)]
    pub keep_failed: bool,
}

/// Options of `lifeboat-operator version`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lifeboat-operator version
  lifeboat-operator version --json")]
pub struct Version {
    /// As JSON, with the features that sidecars of this release have
    #[arg(long)]
    pub json: bool,
}

/// A time such as `30s`.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<DurationText>().map_err(|error| {
        format!("{error}; write a number and a unit (h, m, s, ms), such as 30s or 1m30s")
    })?;
    Ok(duration.value())
}

impl Cli {
    /// Does what was asked for.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Run(options) => commands::run(options),
            Command::Crd => commands::crd(),
            Command::CheckInstall(options) => commands::check_install(options),
            Command::Version(options) => commands::version(&options),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        let check = "lifeboat-operator check-install --image lifeboat:dev --timeout 5m";
        assert!(Cli::try_parse_from(check.split(' ')).is_ok());
    }
}
