//! A simulated disk with a tap on its files: one that listens to writes, or hides what lies behind
//! a position. Stages of negative controls; nothing of it is in the crate.

use std::any::Any;
use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::{File, Space, Vfs};

/// What a tap does with a file, which is known by the name under which it was opened.
pub(crate) trait Tap: Debug + Send + Sync + 'static {
    /// Something was written to the file.
    fn wrote(&self, _path: &Path) {}

    /// Whether files that nothing needs any more go at once.
    fn discards(&self) -> bool {
        true
    }

    /// A look at a directory fails if this does.
    fn look(&self) -> io::Result<()> {
        Ok(())
    }

    /// What the file system says of its space, of which a quota may allow less.
    fn space(&self, real: Space) -> Space {
        real
    }

    /// Bytes of the file that the disk does not read.
    fn unreadable(&self, _path: &Path) -> Range<u64> {
        0..0
    }

    /// From here on the file reads as zeros.
    fn blind_from(&self, _path: &Path) -> u64 {
        u64::MAX
    }
}

/// Leaves what was deleted where it is.
#[derive(Debug)]
pub(crate) struct NeverReaps;

impl Tap for NeverReaps {
    fn discards(&self) -> bool {
        false
    }
}

/// The disk with its tap.
#[derive(Debug)]
pub(crate) struct Tapped {
    disk: SimDisk,
    tap: Arc<dyn Tap>,
}

impl Tapped {
    pub(crate) fn new(disk: SimDisk, tap: Arc<dyn Tap>) -> Self {
        Self { disk, tap }
    }

    fn wrap(&self, path: &Path, inner: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(TappedFile { inner, path: path.to_owned(), tap: Arc::clone(&self.tap) })
    }
}

impl Vfs for Tapped {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.tap.look()?;
        self.disk.list(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.wrap(path, self.disk.create(path)?))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.wrap(path, self.disk.open(path)?))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn discard(&self, path: &Path, handle: Option<Arc<dyn File>>) {
        if self.tap.discards() {
            self.disk.discard(path, handle);
        }
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        self.disk.lock(path)
    }
    fn space(&self, dir: &Path) -> io::Result<Space> {
        Ok(self.tap.space(self.disk.space(dir)?))
    }
}

#[derive(Debug)]
struct TappedFile {
    inner: Arc<dyn File>,
    path: PathBuf,
    tap: Arc<dyn Tap>,
}

impl File for TappedFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let (sick, end) = (self.tap.unreadable(&self.path), position + buf.len() as u64);
        if sick.start < end && position < sick.end {
            return Err(io::Error::from_raw_os_error(5));
        }
        let read = self.inner.read_at(buf, position)?;
        let seen = self.tap.blind_from(&self.path).saturating_sub(position);
        let seen = usize::try_from(seen).unwrap_or(usize::MAX).min(read);
        buf[seen..read].fill(0);
        Ok(read)
    }
    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let written = self.inner.write_at(slices, position)?;
        self.tap.wrote(&self.path);
        Ok(written)
    }
    fn allocate(&self, len: u64) -> io::Result<()> {
        self.inner.allocate(len)
    }
    fn truncate(&self, len: u64) -> io::Result<()> {
        self.inner.truncate(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }
    fn forget(&self, bytes: Range<u64>) {
        self.inner.forget(bytes);
    }
}
