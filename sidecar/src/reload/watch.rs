//! Sees that the queue's file was changed. It asks the file system now and then, which also works
//! where a ConfigMap is mounted (its files are links that are swapped) and on network file systems.

use std::fmt::Write;
use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lifeboat_api::MAX_FILE_SIZE;
use sha2::{Digest, Sha256};
use tokio::time::sleep;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A file and what it looked like last.
#[derive(Debug)]
pub struct FileWatch {
    path: PathBuf,
    /// As it was told last.
    told: Option<Stamp>,
    /// As it was at the last look.
    seen: Option<Stamp>,
}

/// What changes when a file is written or another takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
        }
    }
}

impl FileWatch {
    /// Watches the file from now on.
    pub fn new(path: &Path) -> Self {
        let mut watch = Self { path: path.to_owned(), told: None, seen: None };
        watch.told = watch.stamp();
        watch
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Completes when the file has changed since the last time, and has stood still from one look
    /// to the next: half of a file may look like a whole one. Cancel-safe.
    pub async fn changed(&mut self) {
        loop {
            sleep(LOOK).await;
            if self.look() {
                return;
            }
        }
    }

    fn look(&mut self) -> bool {
        let now = self.stamp();
        let still = std::mem::replace(&mut self.seen, now) == now;
        // While one is replaced there may be none for a moment.
        let changed = still && now.is_some() && now != self.told;
        if changed {
            self.told = now;
        }
        changed
    }

    fn stamp(&self) -> Option<Stamp> {
        std::fs::metadata(&self.path).ok().map(|found| Stamp::of(&found))
    }
}

/// What a queue's file holds, or a little more than it may hold.
///
/// # Errors
/// Of the system; `InvalidData` when it is no text.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_FILE_SIZE as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

/// Names a file's content: its SHA-256, as `sha256sum` prints it.
pub fn hash(text: &str) -> String {
    let sum = Sha256::digest(text.as_bytes());
    let mut text = String::new();
    for byte in sum {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_written_and_a_swapped_file_are_seen_once() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second, link) =
            (dir.path().join("1"), dir.path().join("2"), dir.path().join("queue.yaml"));
        std::fs::write(&first, "one").unwrap();
        symlink(&first, &link).unwrap();
        let mut watch = FileWatch::new(&link);
        assert!(!watch.look());
        std::fs::write(&first, "longer").unwrap();
        assert_eq!([watch.look(), watch.look(), watch.look()], [false, true, false]);
        std::fs::write(&second, "longer").unwrap();
        std::fs::remove_file(&link).unwrap();
        assert!(!watch.look() && !watch.look(), "there is none");
        symlink(&second, &link).unwrap();
        assert_eq!([watch.look(), watch.look(), watch.look()], [false, true, false]);
        assert_eq!(read(&link).unwrap(), "longer");
    }

    /// What kubelet does to a mounted ConfigMap: the files are links through `..data`, which it makes
    /// point to another directory in one step; then the old directory goes.
    #[test]
    fn a_swapped_directory_of_a_config_map_is_seen_once() {
        let dir = tempfile::tempdir().unwrap();
        let (data, file) = (dir.path().join("..data"), dir.path().join("queue.yaml"));
        let version_of = |version: &str, text: &str| {
            let version = dir.path().join(version);
            std::fs::create_dir(&version).unwrap();
            std::fs::write(version.join("queue.yaml"), text).unwrap();
            version
        };
        let swap = |version: &Path| {
            let new = dir.path().join("..data_tmp");
            symlink(version.file_name().unwrap(), &new).unwrap();
            std::fs::rename(&new, &data).unwrap();
        };
        let first = version_of("..1", "one");
        swap(&first);
        symlink("..data/queue.yaml", &file).unwrap();
        let mut watch = FileWatch::new(&file);
        assert_eq!([watch.look(), watch.look()], [false, false]);
        for (version, text) in [("..2", "two"), ("..3", "six")] {
            let before = std::fs::read_link(&data).unwrap();
            swap(&version_of(version, text));
            std::fs::remove_dir_all(dir.path().join(before)).unwrap();
            assert_eq!([watch.look(), watch.look(), watch.look()], [false, true, false], "{text}");
            assert_eq!(read(&file).unwrap(), text);
        }
    }

    #[test]
    fn a_hash_is_what_others_compute() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hash(""), empty);
        assert_ne!(hash("one"), hash("two"));
    }
}
