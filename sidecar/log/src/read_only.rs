//! A disk that forgets what is written to it: what a start would find, without a trace of it.

use std::any::Any;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::vfs::{File, Space, Vfs};

/// Another disk, read and nothing else. What changes names or files succeeds and does nothing.
#[derive(Debug)]
pub(crate) struct ReadOnly(pub(crate) Arc<dyn Vfs>);

impl ReadOnly {
    fn wrap(file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(ReadOnlyFile(Some(file)))
    }
}

impl Vfs for ReadOnly {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }
    fn create(&self, _: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(ReadOnlyFile(None)))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.0.open_read(path).map(Self::wrap)
    }
    fn open_uncached(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.0.open_uncached(path).map(Self::wrap)
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        self.0.lock(path)
    }
    fn space(&self, dir: &Path) -> io::Result<Space> {
        self.0.space(dir)
    }
}

/// A file of it; `None` is one that was made.
#[derive(Debug)]
struct ReadOnlyFile(Option<Arc<dyn File>>);

impl File for ReadOnlyFile {
    fn len(&self) -> io::Result<u64> {
        self.0.as_ref().map_or(Ok(0), |file| file.len())
    }
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.0.as_ref().map_or(Ok(0), |file| file.read_at(buf, position))
    }
    fn write_at(&self, slices: &[IoSlice<'_>], _: u64) -> io::Result<usize> {
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }
    fn allocate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn truncate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn forget(&self, bytes: Range<u64>) {
        if let Some(file) = &self.0 {
            file.forget(bytes);
        }
    }
}
