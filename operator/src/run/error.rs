//! What ends the operator.

use std::io;

/// Why the operator ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No API server can be found, or its certificates cannot be read.
    #[error("cannot make a client of the API server: {0}")]
    Client(String),
    /// The admin address cannot be bound, or its server failed.
    #[error("cannot serve on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A metric is wrong: a mistake in the operator.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// Another operator may be at work now.
    #[error("the lease is lost: {0}")]
    LeaseLost(String),
    /// A task ended that must not: a mistake in the operator.
    #[error("a controller ended: {0}")]
    Broken(String),
}
