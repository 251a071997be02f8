//! What can go wrong in the log and in the state journal, and what the caller owes for each.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a call on the log or the state journal failed.
///
/// Nothing here is logged by this crate: the caller logs an error once, where it stops travelling.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk failed. What the call should have stored may be there, in part, or not at all, and
    /// whoever was writing is poisoned (see [`LogError::Poisoned`]). The caller gives no receipt
    /// for what the call covered.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },

    /// Bytes on disk are not what was written. The caller stops serving what they belong to,
    /// or goes on by the user's `onDamage` policy; it never skips them in silence.
    #[error("{} is damaged at byte {position}: {kind}", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Byte position of the first thing that does not add up.
        position: u64,
        /// What does not add up.
        kind: Corruption,
    },

    /// No space left, on the file system or in the quota. Nothing was stored; what is there stays
    /// usable. The caller refuses or holds its producers and tries again when space was freed.
    #[error("no space left")]
    Full,

    /// What was to be stored exceeds a limit of the format. Trying again cannot help: the caller
    /// refuses it.
    #[error("{size} bytes, more than the {limit} that fit")]
    TooLarge {
        /// Size asked for, in bytes.
        size: u64,
        /// Largest size that fits, in bytes.
        limit: u64,
    },

    /// Another process holds the volume. The caller must not touch it.
    #[error(
        "{} is held by another process: stop that one, or use another data directory (--data)",
        path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
    },

    /// The file was written by a newer, incompatible version, or belongs to another volume.
    /// It is left as it is; the caller refuses to serve it.
    #[error("{}: {reason}", path.display())]
    Version {
        /// The file that is not understood.
        path: PathBuf,
        /// What was found, and what this version understands.
        reason: String,
    },

    /// An earlier sync failed, so what the disk holds is unknown until it is read again. Permanent.
    /// The caller gives no more receipts, turns not ready, and ends the process: the next start
    /// recovers from what is really there.
    #[error("an earlier sync failed; only a restart can tell what is stored")]
    Poisoned,
}

/// Why bytes on disk are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corruption {
    /// The file header does not validate.
    FileHeader,
    /// No valid header where one is expected.
    Header,
    /// A checksum over content does not match.
    Checksum,
    /// The link to what precedes does not match: something is missing or was put in its place.
    Chain,
    /// A checksum matches, yet the content makes no sense.
    Content,
    /// The file ends before its content does.
    Truncated,
    /// A file that others refer to is not there.
    Missing,
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FileHeader => "invalid file header",
            Self::Header => "no valid header",
            Self::Checksum => "checksum does not match",
            Self::Chain => "does not follow what precedes it",
            Self::Content => "content makes no sense",
            Self::Truncated => "ends too early",
            Self::Missing => "file is missing",
        })
    }
}

impl LogError {
    /// The file, where what it holds is damaged, or the disk does not read it.
    pub(crate) fn damaged_file(&self) -> Option<&Path> {
        match self {
            Self::Corrupt { path, .. } | Self::Io { operation: "read", path, .. } => Some(path),
            _ => None,
        }
    }

    /// Turns a failed call on `path` into an error, for `map_err`.
    /// A lack of space becomes [`LogError::Full`].
    pub fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            if is_out_of_space(&source) {
                return Self::Full;
            }
            Self::Io { operation, path: path.to_owned(), source }
        }
    }

    /// Turns a failed sync into an error, for `map_err`. A lack of space reported by a sync is no
    /// [`LogError::Full`]: the bytes were accepted before and their fate is unknown.
    pub fn sync(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::fatal("sync", path)
    }

    /// Turns a failed call into an error, for `map_err`, where not even a lack of space leaves
    /// things as they were.
    pub fn fatal(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { operation, path: path.to_owned(), source }
    }
}

/// Whether a call failed for want of space, on the file system or in a quota.
pub fn is_out_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_space_is_told_apart_except_from_a_sync() {
        let path = Path::new("a");
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert!(matches!(LogError::io("write", path)(full()), LogError::Full));
        assert!(matches!(LogError::sync(path)(full()), LogError::Io { operation: "sync", .. }));
        assert!(matches!(LogError::fatal("rename", path)(full()), LogError::Io { .. }));
        let error = LogError::io("write", path)(io::Error::other("broken"));
        assert_eq!(error.to_string(), "write a: broken");
    }
}
