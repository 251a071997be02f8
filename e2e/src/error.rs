//! What can go wrong around a test's Kubernetes, each with what was being done.

use std::path::PathBuf;

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something of a test's Kubernetes did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program that was never built.
    #[error("{} is missing: run e2e/build {set}", path.display())]
    MissingTool {
        /// Where it was looked for.
        path: PathBuf,
        /// What to ask `e2e/build` for.
        set: String,
    },
    /// A program of this workspace that was never built.
    #[error("{} is missing: {made_by}", path.display())]
    MissingProgram {
        /// Where it was looked for.
        path: PathBuf,
        /// What makes it.
        made_by: String,
    },
    /// A pod that cannot be run here.
    #[error("pod {pod}: {what}")]
    Pod {
        /// Its name.
        pod: String,
        /// Why not.
        what: String,
    },
    /// A name that is not in `e2e/tools.txt`.
    #[error("e2e/tools.txt has no {0}")]
    UnknownTool(String),
    /// A file or a process.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A key or a certificate could not be made.
    #[error("the cluster's certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A kubeconfig that the client does not take.
    #[error("the cluster's kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The API server refused something, or could not be asked.
    #[error("{what}: {source}")]
    Api {
        /// What was asked of it.
        what: String,
        /// Its answer.
        source: Box<kube::Error>,
    },
    /// A process ended on its own.
    #[error("{name} ended ({status}); the end of its log:\n{log}")]
    Ended {
        /// Which.
        name: String,
        /// How.
        status: std::process::ExitStatus,
        /// Its last lines.
        log: String,
    },
    /// A command that did not succeed.
    #[error("{command}: {status}: {said}")]
    Failed {
        /// As one would type it.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it complained about.
        said: String,
    },
    /// A Dockerfile that says something else than those of this project.
    #[error("not understood: {0}")]
    Dockerfile(String),
    /// There is one already.
    #[error("a cluster runs here already, of process {0}: e2e/down ends it")]
    Busy(i32),
    /// A scenario saw what must not be.
    #[error("{0}")]
    Broken(String),
    /// A deadline passed.
    #[error("{what}: not within {seconds} s; last: {last}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// What was seen instead.
        last: String,
    },
}

impl Error {
    /// For `map_err`: an I/O error, and what it came from.
    pub(crate) fn io<W: Into<String>>(what: W) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }

    /// For `map_err`: the API server's answer, and what it was asked.
    pub(crate) fn api<W: Into<String>>(what: W) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Api { what: what.into(), source: Box::new(source) }
    }
}
