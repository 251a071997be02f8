//! Sees that the queue's file was changed. It asks the file system now and then, which also works
//! where a ConfigMap is mounted (its files are links that are swapped) and on network file systems.

use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lifeboat_api::MAX_FILE_SIZE;
use tokio::time::{MissedTickBehavior, interval};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A file and what it looked like last.
#[derive(Debug)]
pub struct FileWatch {
    path: PathBuf,
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
        let mut watch = Self { path: path.to_owned(), seen: None };
        watch.seen = watch.stamp();
        watch
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Completes when the file has changed since the last time. Cancel-safe.
    pub async fn changed(&mut self) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if self.look() {
                return;
            }
        }
    }

    /// Whether it has changed since the last time.
    fn look(&mut self) -> bool {
        let now = self.stamp();
        // While one is replaced there may be none for a moment.
        let changed = now.is_some() && now != self.seen;
        if changed {
            self.seen = now;
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

/// Names a file's content: 8 hex digits, its CRC32C.
pub fn hash(text: &str) -> String {
    format!("{:08x}", crc32c::crc32c(text.as_bytes()))
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
        assert!(watch.look() && !watch.look());
        std::fs::write(&second, "longer").unwrap();
        std::fs::remove_file(&link).unwrap();
        assert!(!watch.look(), "there is none");
        symlink(&second, &link).unwrap();
        assert!(watch.look() && !watch.look());
        assert_eq!(read(&link).unwrap(), "longer");
        assert_ne!(hash("one"), hash("two"));
    }
}
