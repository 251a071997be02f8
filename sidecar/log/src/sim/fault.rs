//! Which call of a simulated disk fails, and how.

use std::io;

use rustix::io::Errno;

/// A way for a call to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The device fails. Any call. A write may have left a part of its bytes; a sync that fails
    /// gives up what it did not write, and the next one succeeds without it.
    Eio,
    /// No space left: creations, renames, writes, allocations, and syncs, which fail as for
    /// [`Fault::Eio`].
    Enospc,
    /// A signal: reads and writes.
    Eintr,
    /// A write takes only some of the bytes.
    ShortWrite,
}

/// What kind of call is made, as far as faults care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Look,
    Read,
    Name,
    Write,
    Allocate,
    SyncData,
    SyncDir,
}

/// A fault at one call, or from there on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) at: u64,
    pub(super) fault: Fault,
    pub(super) persistent: bool,
}

impl Plan {
    /// Whether the call with this number, counted from 1, fails.
    pub(super) fn strikes(&self, number: u64, call: Call) -> bool {
        let now = if self.persistent { number >= self.at } else { number == self.at };
        now && match self.fault {
            Fault::Eio => true,
            Fault::Enospc => {
                matches!(call, Call::Name | Call::Write | Call::Allocate | Call::SyncData)
            }
            // Every second call, or a caller that rightly tries again would never end.
            Fault::Eintr => {
                matches!(call, Call::Read | Call::Write) && (number - self.at).is_multiple_of(2)
            }
            Fault::ShortWrite => call == Call::Write,
        }
    }
}

impl Fault {
    pub(super) fn error(self) -> io::Error {
        match self {
            Self::Eio => Errno::IO.into(),
            Self::Enospc => Errno::NOSPC.into(),
            Self::Eintr => Errno::INTR.into(),
            Self::ShortWrite => io::ErrorKind::WriteZero.into(),
        }
    }
}
