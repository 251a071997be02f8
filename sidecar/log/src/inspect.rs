//! Looks at a data directory that no process has open, and changes nothing in it: what is damaged,
//! and what can still be read.
//!
//! What a start would find is found by the code of a start, on a disk that forgets what is written
//! to it.

mod check;
mod dump;
mod segments;

use std::any::Any;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::LogError;
use crate::vfs::Vfs;
use crate::volume::{DEAD_LETTERS, KEPT_IDS, LOCK};

pub use check::{CheckOptions, Checked, Report, Severity, check};
pub use dump::{DumpOptions, Dumped, dump};

/// Holds the directory against every other process, if it was ever opened.
fn hold(vfs: &dyn Vfs, dir: &Path) -> Result<Option<Box<dyn Any + Send + Sync>>, LogError> {
    let names = vfs.list(dir).map_err(LogError::io("list", dir))?;
    if !names.iter().any(|name| name == LOCK) {
        return Ok(None);
    }
    let path = dir.join(LOCK);
    match vfs.lock(&path) {
        Ok(guard) => Ok(Some(guard)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(LogError::Locked { path }),
        // On a file system that cannot be written to, nobody else can either.
        Err(_) => Ok(None),
    }
}

/// The names in a directory; none if it is not there.
fn names(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<String>, LogError> {
    match vfs.list(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        names => names.map_err(LogError::io("list", dir)),
    }
}

/// What a log of a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holding {
    Records,
    DeadLetters,
    /// Copies of ids, which are no messages.
    Ids,
}

/// The directories that the logs of a stream have, or would have.
fn logs_of(stream: &Path) -> [(PathBuf, Holding); 3] {
    [
        (stream.to_owned(), Holding::Records),
        (stream.join(DEAD_LETTERS), Holding::DeadLetters),
        (stream.join(KEPT_IDS), Holding::Ids),
    ]
}

/// Bytes of a file, 0 if it cannot be told.
fn len_of(vfs: &Arc<dyn Vfs>, path: &Path) -> u64 {
    vfs.open_read(path).and_then(|file| file.len()).unwrap_or(0)
}
