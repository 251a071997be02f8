//! How the command ends: every exit code and when it is used. Codes follow sysexits.h where it
//! has one that fits.

use std::process::{ExitCode, Termination};

/// The outcome of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Success,
    /// What was asked for did not work: no queue runs there, a receipt was refused, ...
    Failure,
    /// The queue's file, or the command line, is wrong; nothing was bound or written.
    BadInput,
    /// An endpoint could not be bound.
    CannotBind,
    /// The volume's own files are damaged, or of a version that this one cannot read.
    BadVolume,
    /// The disk failed: a write, or a sync. What is stored is known only after a restart.
    DiskFailed,
    /// Another process holds the data directory.
    Locked,
}

impl Exit {
    /// All of them, for the help text.
    pub const ALL: [Self; 7] = [
        Self::Success,
        Self::Failure,
        Self::BadInput,
        Self::BadVolume,
        Self::CannotBind,
        Self::DiskFailed,
        Self::Locked,
    ];

    /// The code that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::BadInput => 64,
            Self::BadVolume => 65,
            Self::CannotBind => 69,
            Self::DiskFailed => 74,
            Self::Locked => 75,
        }
    }

    /// What it means, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Success => "done",
            Self::Failure => "what was asked for did not work",
            Self::BadInput => "the file or the command line is wrong; nothing was bound or written",
            Self::BadVolume => "the data directory is damaged or of another version",
            Self::CannotBind => "an endpoint could not be bound",
            Self::DiskFailed => "the disk failed a write or a sync; restart to find what is stored",
            Self::Locked => "another process holds the data directory",
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.code().into()
    }
}
