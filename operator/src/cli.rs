//! The command line: what can be said, its help, and how it ends.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

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

impl Cli {
    /// Does what was asked for.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Run(options) => commands::run(options),
            Command::Crd => commands::crd(),
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
    }
}
