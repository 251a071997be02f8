//! The files of one control plane: removed with it, except the logs of one that failed. A directory
//! that somebody else made is left to them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, fs, thread};

use tempfile::TempDir;

use crate::error::{Error, Result};

/// Where logs are kept, if not in the temporary directory.
const KEEP: &str = "LIFEBOAT_E2E_LOGS";

/// A directory of its own, with `logs/` in it.
#[derive(Debug)]
pub(super) struct RunDirectory {
    path: PathBuf,
    /// None: it belongs to somebody else.
    own: Option<TempDir>,
    failed: AtomicBool,
}

impl RunDirectory {
    /// Makes it.
    pub(super) fn create() -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("lifeboat-e2e-")
            .tempdir()
            .map_err(Error::io("making a directory for the control plane"))?;
        Self::with(directory.path().to_owned(), Some(directory))
    }

    /// Uses one that exists and outlives this.
    pub(super) fn given(path: &Path) -> Result<Self> {
        Self::with(path.to_owned(), None)
    }

    fn with(path: PathBuf, own: Option<TempDir>) -> Result<Self> {
        let run = Self { path, own, failed: AtomicBool::new(false) };
        fs::create_dir_all(run.logs()).map_err(Error::io("making a directory for logs"))?;
        Ok(run)
    }

    /// The path of a file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where every process writes what it prints.
    pub(super) fn logs(&self) -> PathBuf {
        self.file("logs")
    }

    /// Has the logs kept although nobody panics.
    pub(super) fn keep_logs(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Moves the logs away and says where to.
    fn save(&self) -> std::io::Result<PathBuf> {
        let name = self.path.file_name().unwrap_or_default();
        let kept = env::var_os(KEEP)
            .map_or_else(|| env::temp_dir().join("lifeboat-e2e"), PathBuf::from)
            .join(name);
        fs::create_dir_all(&kept)?;
        for entry in fs::read_dir(self.logs())? {
            let entry = entry?;
            fs::copy(entry.path(), kept.join(Path::new(&entry.file_name())))?;
        }
        Ok(kept)
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        let failed = thread::panicking() || self.failed.load(Ordering::Relaxed);
        if self.own.is_none() || !failed {
            return;
        }
        match self.save() {
            Ok(kept) => eprintln!("logs of the control plane: {}", kept.display()),
            Err(error) => eprintln!("the control plane's logs could not be kept: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_without_a_trace_or_leaves_its_logs() {
        for failed in [false, true] {
            let run = RunDirectory::create().unwrap();
            fs::write(run.logs().join("etcd.log"), "why").unwrap();
            let path = run.file("");
            let kept = env::temp_dir().join("lifeboat-e2e").join(path.file_name().unwrap());
            if failed {
                run.keep_logs();
            }
            drop(run);
            assert!(!path.exists());
            assert_eq!(fs::read_to_string(kept.join("etcd.log")).ok().is_some(), failed);
            if failed {
                fs::remove_dir_all(kept).unwrap();
            }
        }
    }
}
