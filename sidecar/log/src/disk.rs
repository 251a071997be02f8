//! The real disk: std and rustix behind the seam of [`crate::vfs`].
//!
//! It adds no policy: no retries but of interrupted calls, no caching, no knowledge of formats.

use std::any::Any;
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, IoSlice};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Advice, FallocateFlags};
use rustix::io::{Errno, retry_on_intr};

use crate::direct::DirectFile;
use crate::reaper::Reaper;
use crate::sync_pool::SyncPool;
use crate::vfs::{File, Space, Vfs};

/// Messages are nobody else's business; the group (a pod's fsGroup) may read and write them.
const FILE_MODE: u32 = 0o660;

/// The file systems of this machine.
#[derive(Debug, Default)]
pub struct Disk {
    pool: SyncPool,
    reaper: Reaper,
}

impl Disk {
    /// The disk. Helper threads for parallel syncs start with the first one and end with it.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Vfs for Disk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = fs::read_dir(dir)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let options = OpenOptions::new().read(true).write(true).create_new(true).clone();
        open(&options, path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        open(OpenOptions::new().read(true).write(true), path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        open(OpenOptions::new().read(true), path)
    }

    fn open_uncached(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let cached = self.open_read(path)?;
        cached.forget(0..cached.len()?);
        Ok(DirectFile::open(path, &cached).unwrap_or(cached))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        // One that stays harms nobody.
        fs::remove_dir(dir).ok();
        Ok(())
    }

    fn discard(&self, path: &Path, handle: Option<Arc<dyn File>>) {
        self.reaper.remove(path.to_owned(), handle);
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(dir)?;
        // File systems keep some blocks for root alone.
        let root = rustix::process::geteuid().is_root();
        let available = if root { stat.f_bfree } else { stat.f_bavail };
        Ok(Space {
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
            available: available.saturating_mul(stat.f_frsize),
        })
    }

    fn sync_data_all(&self, files: &[Arc<dyn File>]) -> Vec<io::Result<()>> {
        self.pool.sync_data_all(files)
    }
}

fn open(options: &OpenOptions, path: &Path) -> io::Result<Arc<dyn File>> {
    Ok(Arc::new(DiskFile { file: options.clone().mode(FILE_MODE).open(path)? }))
}

/// One open file of the disk.
#[derive(Debug)]
struct DiskFile {
    file: fs::File,
}

impl File for DiskFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buf, position)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        Ok(rustix::io::pwritev(&self.file, slices, position)?)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let reserve = || rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, len);
        match retry_on_intr(reserve) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) if self.len()? < len => self.file.set_len(len),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            result => Ok(result?),
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn forget(&self, bytes: Range<u64>) {
        if let Some(len) = NonZeroU64::new(bytes.end.saturating_sub(bytes.start)) {
            // Advice only: a file system that does not take it costs memory, not correctness.
            let _ = rustix::fs::fadvise(&self.file, bytes.start, Some(len), Advice::DontNeed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::{read_all, replace, write_all_at};

    fn temp() -> (tempfile::TempDir, Disk) {
        (tempfile::tempdir().unwrap(), Disk::new())
    }

    #[test]
    fn what_is_written_reads_back_and_holes_are_zero() {
        let (dir, disk) = temp();
        let path = dir.path().join("a");
        let file = disk.create(&path).unwrap();
        file.allocate(8192).unwrap();
        assert_eq!(file.len().unwrap(), 8192);
        let mut slices = [IoSlice::new(b"left "), IoSlice::new(b"right")];
        write_all_at(&*file, &mut slices, 4).unwrap();
        file.sync_data().unwrap();
        file.forget(0..8192);
        file.truncate(16).unwrap();
        assert_eq!(read_all(&disk, &path, 16).unwrap(), b"\0\0\0\0left right\0\0");
        assert!(read_all(&disk, &path, 15).is_err());
        file.allocate(4).unwrap();
        assert_eq!(file.len().unwrap(), 16, "allocate never shortens");
    }

    #[test]
    fn more_slices_than_one_call_takes_are_written_whole() {
        let (dir, disk) = temp();
        let file = disk.create(&dir.path().join("a")).unwrap();
        let mut slices = vec![IoSlice::new(b"ab"); 3000];
        write_all_at(&*file, &mut slices, 0).unwrap();
        assert_eq!(file.len().unwrap(), 6000);
    }

    #[test]
    fn names_come_and_go() {
        let (dir, disk) = temp();
        let path = |name: &str| dir.path().join(name);
        disk.create_dir(&path("sub")).unwrap();
        disk.create_dir(&path("sub")).unwrap();
        disk.create(&path("b")).unwrap();
        assert_eq!(disk.create(&path("b")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(disk.create_dir(&path("b")).is_err());
        disk.rename(&path("b"), &path("a")).unwrap();
        assert_eq!(disk.open(&path("b")).unwrap_err().kind(), io::ErrorKind::NotFound);
        replace(&disk, dir.path(), "a", b"new").unwrap();
        assert_eq!(disk.list(dir.path()).unwrap(), ["a", "sub"]);
        disk.remove(&path("a")).unwrap();
        disk.sync_dir(dir.path()).unwrap();
        assert_eq!(disk.list(dir.path()).unwrap(), ["sub"]);
    }

    #[test]
    fn a_lock_is_held_until_its_guard_is_dropped() {
        let (dir, disk) = temp();
        let path = dir.path().join("lock");
        let guard = disk.lock(&path).unwrap();
        assert_eq!(disk.lock(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(guard);
        disk.lock(&path).unwrap();
    }

    #[test]
    fn the_file_system_has_a_size() {
        let (dir, disk) = temp();
        let space = disk.space(dir.path()).unwrap();
        assert!(space.total > 0 && space.available <= space.total);
    }
}
