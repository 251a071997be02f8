//! Indexes on disk in an embedded store (`sled`): what would take too much memory and can always be
//! made anew from the log.
//!
//! `sled` 0.34 loses flushed keys at a power cut, can panic or hang where its files are damaged, and
//! can refuse to open for ever after a kill at the wrong moment. So nothing here is evidence of
//! anything: whoever keeps an index checks what it reads, and on any [`Doubt`] sets the index aside
//! and builds another one. Nothing here may know what is indexed.

mod guard;
mod place;
mod shelf;

pub(crate) use guard::{Guarded, THREAD};
pub(crate) use place::Place;
pub(crate) use shelf::Shelf;

/// Why an index is not to be believed any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Doubt {
    /// The store, or its directory, reports an error.
    #[error("{0}")]
    Failed(String),
    /// The store panicked.
    #[error("the store panicked: {0}")]
    Panicked(String),
    /// The store did not come back in time.
    #[error("the store hangs")]
    Hangs,
    /// What it holds is not what was put there, or not of this volume.
    #[error("{0}")]
    Wrong(&'static str),
}

impl From<sled::Error> for Doubt {
    fn from(error: sled::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for Doubt {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
