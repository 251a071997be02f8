//! Names of the journal's files, and how a file comes into being whole.
//!
//! Journal `N` continues from snapshot `N`; both appear together, under names that are given only
//! to files whose content is synced. After a power cut a journal may be there without its snapshot
//! and continues the journal before, or a snapshot without its journal and stands for itself.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::LogError;
use crate::vfs::{self, File, Vfs, write_all_at};

/// Subdirectory for damaged bytes.
pub(super) const QUARANTINE: &str = "quarantine";
const TEMPORARY: &str = ".tmp";

/// Name of a journal file.
pub(super) fn journal(number: u64) -> String {
    format!("{number:020}.journal")
}

/// Name of a snapshot file.
pub(super) fn snapshot(number: u64) -> String {
    format!("{number:020}.snapshot")
}

/// Where a file is until it is complete.
pub(super) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY);
    name.into()
}

/// The files of a journal directory. Names that are none of its own are left alone.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) journals: BTreeSet<u64>,
    pub(super) snapshots: BTreeSet<u64>,
    pub(super) temporaries: Vec<String>,
}

impl Files {
    pub(super) fn list(vfs: &dyn Vfs, dir: &Path) -> Result<Self, LogError> {
        let mut files = Self::default();
        for name in vfs.list(dir).map_err(LogError::io("list", dir))? {
            if name.ends_with(TEMPORARY) {
                files.temporaries.push(name);
            } else if let Some(number) = numbered(&name, journal) {
                files.journals.insert(number);
            } else if let Some(number) = numbered(&name, snapshot) {
                files.snapshots.insert(number);
            }
        }
        Ok(files)
    }

    /// The highest number in use, 0 if none.
    pub(super) fn last(&self) -> u64 {
        self.journals.last().max(self.snapshots.last()).copied().unwrap_or(0)
    }

    /// Removes every file with a number below `from`. Not synced: a file that comes back after a
    /// power cut is older than what replaces it, and is removed again.
    pub(super) fn prune(&self, vfs: &dyn Vfs, dir: &Path, from: u64) -> Result<(), LogError> {
        let journals = self.journals.range(..from).map(|&number| journal(number));
        let snapshots = self.snapshots.range(..from).map(|&number| snapshot(number));
        // The oldest first, so that what is left is always a gapless end of the history.
        for name in snapshots.chain(journals) {
            let path = dir.join(name);
            vfs.remove(&path).map_err(LogError::io("remove", &path))?;
        }
        Ok(())
    }
}

/// The number in a name that `form` gives.
fn numbered(name: &str, form: fn(u64) -> String) -> Option<u64> {
    let number = name.split('.').next()?.parse().ok()?;
    (form(number) == name).then_some(number)
}

/// Makes a synced file under its temporary name, in the place of any earlier attempt.
/// `reserve` bytes are set aside for it if the disk has them.
pub(super) fn create_temporary(
    vfs: &dyn Vfs,
    path: &Path,
    content: &[u8],
    reserve: u64,
) -> Result<Arc<dyn File>, LogError> {
    let path = temporary(path);
    remove_if_there(vfs, &path)?;
    let file = vfs.create(&path).map_err(LogError::io("create", &path))?;
    write_all_at(&*file, &mut [IoSlice::new(content)], 0).map_err(LogError::io("write", &path))?;
    if reserve > content.len() as u64
        && let Err(error) = file.allocate(reserve).map_err(LogError::io("allocate", &path))
        && !matches!(error, LogError::Full)
    {
        return Err(error);
    }
    file.sync_data().map_err(LogError::sync(&path))?;
    Ok(file)
}

/// Gives a complete file its name. Durable after a sync of the directory.
pub(super) fn publish(vfs: &dyn Vfs, path: &Path) -> io::Result<()> {
    vfs.rename(&temporary(path), path)
}

/// Removes a file that may not be there.
pub(super) fn remove_if_there(vfs: &dyn Vfs, path: &Path) -> Result<(), LogError> {
    vfs::remove_if_there(vfs, path).map_err(LogError::io("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimDisk;

    #[test]
    fn only_its_own_names_are_taken() {
        let disk = SimDisk::new(1);
        let foreign = ["lock", "1.journal", "99999999999999999999.journal", "quarantine"];
        for name in foreign.into_iter().chain(["00000000000000000007.snapshot.tmp"]) {
            disk.create(&Path::new("/").join(name)).unwrap();
        }
        for number in 3..6 {
            disk.create(&Path::new("/").join(journal(number))).unwrap();
        }
        disk.create(Path::new("/00000000000000000004.snapshot")).unwrap();
        let files = Files::list(&disk, Path::new("/")).unwrap();
        assert_eq!(files.journals, BTreeSet::from([3, 4, 5]));
        assert_eq!(files.snapshots, BTreeSet::from([4]));
        assert_eq!((files.last(), files.temporaries.len()), (5, 1));
        files.prune(&disk, Path::new("/"), 4).unwrap();
        let left = Files::list(&disk, Path::new("/")).unwrap();
        assert_eq!((left.journals, left.snapshots), (BTreeSet::from([4, 5]), BTreeSet::from([4])));
    }
}
