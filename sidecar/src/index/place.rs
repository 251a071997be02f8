//! Where an index lies: one numbered directory below its own, and the last one that was set aside.
//!
//! A number is never used again, for a thread that hangs in an index that was set aside may still
//! write under its old name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How the name of an index ends that was set aside.
const ASIDE: &str = ".aside";
/// So many of those are kept, for whoever wants to know what happened.
const KEPT_ASIDE: usize = 1;

/// The directory of one index.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    /// The place of the index `name` in the data directory `data`. Nothing is made yet.
    pub(crate) fn new(data: &Path, name: &str) -> Self {
        Self { root: data.join("index").join(name) }
    }

    /// The index that is there, if one is.
    pub(crate) fn current(&self) -> Option<PathBuf> {
        let numbers = self.names().into_iter().filter_map(|name| name.parse::<u32>().ok());
        numbers.max().map(|number| self.root.join(format!("{number:06}")))
    }

    /// A directory for a new index. What stands in its way is set aside.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn make(&self) -> io::Result<PathBuf> {
        for dir in [self.root.parent(), Some(&self.root)].into_iter().flatten() {
            if !dir.is_dir() && dir.symlink_metadata().is_ok() {
                fs::rename(dir, dir.with_extension("aside"))?;
            }
        }
        let stem = |name: &String| name.split('.').next().and_then(|stem| stem.parse::<u32>().ok());
        let highest = self.names().iter().filter_map(stem).max().unwrap_or(0);
        let dir = self.root.join(format!("{:06}", highest.saturating_add(1)));
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// Sets whatever index is there aside, and drops older ones.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn set_aside(&self) -> io::Result<()> {
        while let Some(dir) = self.current() {
            fs::rename(&dir, dir.with_extension(&ASIDE[1..]))?;
        }
        let mut aside: Vec<String> =
            self.names().into_iter().filter(|name| name.ends_with(ASIDE)).collect();
        aside.sort_unstable();
        let old = aside.len().saturating_sub(KEPT_ASIDE);
        for name in aside.into_iter().take(old) {
            remove(&self.root.join(name))?;
        }
        Ok(())
    }

    /// Takes away everything that is there; nobody uses it any more.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn remove(&self) -> io::Result<()> {
        if self.root.exists() { remove(&self.root) } else { Ok(()) }
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_only_the_last_that_was_set_aside_is_kept() {
        let data = tempfile::tempdir().unwrap();
        let place = Place::new(data.path(), "work");
        assert_eq!(place.current(), None);
        place.set_aside().unwrap();
        for number in 1..=3 {
            let dir = place.make().unwrap();
            assert!(dir.ends_with(format!("index/work/00000{number}")));
            assert_eq!(place.current(), Some(dir));
            place.set_aside().unwrap();
            assert_eq!(place.current(), None);
        }
        assert_eq!(place.names(), ["000003.aside"]);
        for _ in 0..2 {
            place.remove().unwrap();
            assert!(!data.path().join("index/work").exists());
        }
    }

    #[test]
    fn what_is_no_directory_is_out_of_the_way() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("index"), "garbage").unwrap();
        let place = Place::new(data.path(), "work");
        place.make().unwrap();
        fs::write(data.path().join("index/work/000007"), "garbage").unwrap();
        place.set_aside().unwrap();
        assert!(place.make().unwrap().ends_with("000008"));
    }
}
