//! The signals that a command heeds.

use std::io;

use tokio::select;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens from now on; until then a signal ends the process.
    ///
    /// # Errors
    /// Of the system.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The next one of either. Cancel-safe.
    pub(super) async fn next(&mut self) {
        select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What a running queue heeds: the signals that end it, and SIGHUP.
#[derive(Debug)]
pub(super) struct RunSignals {
    /// SIGINT and SIGTERM.
    pub(super) end: Signals,
    /// SIGHUP: look at the file again.
    pub(super) hangup: Signal,
}

impl RunSignals {
    /// Listens from now on.
    ///
    /// # Errors
    /// Of the system.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { end: Signals::listen()?, hangup: signal(SignalKind::hangup())? })
    }
}
