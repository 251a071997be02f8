//! How a command fails: what it says on stderr, and its exit code.

use std::fmt;

use lifeboat_log::LogError;

use crate::client::ClientError;
use crate::exit::Exit;

/// A failed command.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    text: String,
}

impl Failure {
    /// What was asked for did not work.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { exit: Exit::Failure, text: text.into() }
    }

    /// The command line is wrong; `text` says what would be right.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::BadInput, text: text.into() }
    }

    /// The exit code.
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        let exit = match error {
            LogError::Locked { .. } => Exit::Locked,
            LogError::Corrupt { .. } | LogError::Version { .. } => Exit::BadVolume,
            _ => Exit::Failure,
        };
        Self { exit, text: error.to_string() }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(error.to_string())
    }
}
