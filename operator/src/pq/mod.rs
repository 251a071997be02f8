//! `kubectl pq`: what a person wants to know of PersistentQueues and do to them.
//!
//! It has no rights of its own: what is in a log is read and changed by the `lifeboat` command in
//! the sidecar's container, so that `pods/exec` is the access control; all else is a change of the
//! resource, which the operator then carries out.

mod cli;
mod drain;
mod exec;
mod fence;
mod human;
mod report;
mod status;
mod stored;
mod table;

use std::io::{self, Write};

use kube::config::{KubeConfigOptions, KubeconfigError};
use kube::{Api, Client, Config};
use lifeboat_api::queue::PersistentQueue;

pub use self::cli::Cli;
use self::cli::Command;

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No cluster is known.
    #[error("no cluster: {0}")]
    Kubeconfig(#[from] KubeconfigError),
    /// The API server said no, or nothing.
    #[error("{0}")]
    Api(Box<kube::Error>),
    /// The output is gone.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
    /// What was asked for makes no sense here.
    #[error("{0}")]
    Refused(String),
    /// A command in a pod did not work.
    #[error("{pod}: {reason}")]
    Exec {
        /// Where.
        pod: String,
        /// What it said.
        reason: String,
    },
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}

/// Does what the command line says. Results go to `out`, remarks to `remarks`.
///
/// # Errors
/// Why it could not be done; some of it may have been.
pub async fn run(cli: Cli, out: &mut dyn Write, remarks: &mut dyn Write) -> Result<(), Error> {
    let options =
        KubeConfigOptions { context: cli.context.clone(), ..KubeConfigOptions::default() };
    let config = Config::from_kubeconfig(&options).await?;
    let namespace = cli.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let place = Place { client: Client::try_from(config)?, namespace };
    match &cli.command {
        Command::Status(options) => status::run(&place, options, out, remarks).await,
        Command::Peek(options) => stored::peek(&place, options, out, remarks).await,
        Command::Redrive(options) => stored::redrive(&place, options, out, remarks).await,
        Command::Drain(options) => drain::run(&place, options, out).await,
        Command::Fence(options) => fence::run(&place, options, out).await,
    }
}

/// A cluster and a namespace in it.
struct Place {
    client: Client,
    namespace: String,
}

impl Place {
    fn queues(&self) -> Api<PersistentQueue> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}
