//! The embedded store: small trees of keys and values. It belongs on a thread of its own, behind
//! [`super::Guarded`].

use std::fs;
use std::path::{Path, PathBuf};

use super::Doubt;

/// Memory that the store aims at for what it read.
const CACHE_BYTES: u64 = 1 << 20;
/// The store notes 64 pages in each of 256 lists before it gives up a single one, whatever its
/// cache may hold: far more memory than the cache. It gives all of it back when it is opened anew,
/// which takes some ten milliseconds, so that is done after so many reads.
const READS: u32 = 1024;

/// An open store.
#[derive(Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
    /// `None` only while it is opened anew.
    db: Option<sled::Db>,
    reads: u32,
}

impl Shelf {
    /// Opens the store in `dir`, or makes it there.
    pub(crate) fn open(dir: &Path) -> Result<Self, Doubt> {
        Ok(Self { dir: dir.to_owned(), db: Some(open(dir)?), reads: 0 })
    }

    /// The names of its trees.
    pub(crate) fn trees(&self) -> Result<Vec<String>, Doubt> {
        let names = self.db()?.tree_names();
        Ok(names.iter().filter_map(|name| String::from_utf8(name.to_vec()).ok()).collect())
    }

    /// The value of `key` in `tree`.
    pub(crate) fn get(&mut self, tree: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Doubt> {
        self.reads += 1;
        if self.reads > READS {
            self.reads = 0;
            // The old one must be gone first: it holds the lock.
            self.db = None;
            self.db = Some(open(&self.dir)?);
        }
        Ok(self.db()?.open_tree(tree)?.get(key)?.map(|value| value.to_vec()))
    }

    /// Puts `value` under `key` in `tree`.
    pub(crate) fn put(&self, tree: &str, key: &[u8], value: Vec<u8>) -> Result<(), Doubt> {
        self.db()?.open_tree(tree)?.insert(key, value)?;
        Ok(())
    }

    /// Drops a tree with all that is in it.
    pub(crate) fn drop_tree(&self, tree: &str) -> Result<(), Doubt> {
        self.db()?.drop_tree(tree)?;
        Ok(())
    }

    /// Hands everything to the operating system: it then outlives this process, not a power cut.
    pub(crate) fn flush(&self) -> Result<(), Doubt> {
        self.db()?.flush()?;
        Ok(())
    }

    fn db(&self) -> Result<&sled::Db, Doubt> {
        self.db.as_ref().ok_or(Doubt::Wrong("the store is not open"))
    }
}

fn open(dir: &Path) -> Result<sled::Db, Doubt> {
    remove_unfinished(dir)?;
    let config = sled::Config::new()
        .path(dir)
        .cache_capacity(CACHE_BYTES)
        // Its own flusher only logs what fails.
        .flush_every_ms(None)
        .mode(sled::Mode::LowSpace);
    Ok(config.open()?)
}

/// Snapshots that a kill left unfinished: the store takes them for whole ones and never opens again.
fn remove_unfinished(dir: &Path) -> Result<(), Doubt> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if text.starts_with("snap.") && text.ends_with(".generating") {
            fs::remove_file(dir.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_there_after_many_reads_and_another_opening() {
        let dir = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::open(dir.path()).unwrap();
        shelf.put("a", b"key", vec![1]).unwrap();
        shelf.put("b", b"key", vec![2]).unwrap();
        shelf.flush().unwrap();
        for _ in 0..2 * READS {
            assert_eq!(shelf.get("a", b"key").unwrap(), Some(vec![1]));
        }
        shelf.drop_tree("a").unwrap();
        drop(shelf);
        fs::write(dir.path().join("snap.0000000000000009.generating"), "half").unwrap();
        let mut shelf = Shelf::open(dir.path()).unwrap();
        assert_eq!(shelf.get("b", b"key").unwrap(), Some(vec![2]));
        assert!(!shelf.trees().unwrap().contains(&"a".to_owned()));
        assert!(shelf.trees().unwrap().contains(&"b".to_owned()));
    }
}
