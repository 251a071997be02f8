//! Disks that break one promise of [`crate::vfs`]: the negative controls of fault tests.
//!
//! A rig that stays green over one of them proves nothing.

use std::any::Any;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::vfs::{File, Space, Vfs};

/// What a [`Liar`] leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Syncs of files do nothing.
    NoDataSync,
    /// Syncs of directories do nothing.
    NoDirSync,
}

/// A disk over another one that claims to have synced and has not.
#[derive(Debug)]
pub struct Liar<V> {
    inner: V,
    lie: Lie,
}

impl<V: Vfs> Liar<V> {
    /// A disk over `inner` that leaves out what `lie` says.
    pub fn new(inner: V, lie: Lie) -> Self {
        Self { inner, lie }
    }

    fn wrap(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        match self.lie {
            Lie::NoDataSync => Arc::new(Unsynced(file)),
            Lie::NoDirSync => file,
        }
    }
}

impl<V: Vfs> Vfs for Liar<V> {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.wrap(self.inner.create(path)?))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.wrap(self.inner.open(path)?))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        match self.lie {
            Lie::NoDirSync => Ok(()),
            Lie::NoDataSync => self.inner.sync_dir(dir),
        }
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        self.inner.lock(path)
    }
    fn space(&self, dir: &Path) -> io::Result<Space> {
        self.inner.space(dir)
    }
}

/// A file whose sync does nothing.
#[derive(Debug)]
struct Unsynced(Arc<dyn File>);

impl File for Unsynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.0.read_at(buf, position)
    }
    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        self.0.write_at(slices, position)
    }
    fn allocate(&self, len: u64) -> io::Result<()> {
        self.0.allocate(len)
    }
    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn forget(&self, bytes: Range<u64>) {
        self.0.forget(bytes);
    }
}
