//! The seam between the log and its disk: the file-system calls that the log makes, and no others.
//!
//! `disk::Disk` is the real one. `sim::SimDisk` is a simulated one, with power
//! cuts and faults. What a call promises is what POSIX promises, no more: bytes written are
//! durable only after [`File::sync_data`], names only after [`Vfs::sync_dir`].

use std::any::Any;
use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Size and free space of the file system below a directory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Size of the whole file system.
    pub total: u64,
    /// What an unprivileged process may still allocate.
    pub available: u64,
}

/// Calls on names: directories, creation, renames, the lock.
pub trait Vfs: Debug + Send + Sync + 'static {
    /// Makes one directory; an existing one is fine.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, files and directories alike, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes a file that must not exist yet, for reading and writing.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Opens a file that must exist, for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Opens a file that must exist, for reading alone: nothing about it changes.
    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.open(path)
    }

    /// Opens a file that must exist, for reading what the disk has of it and not what the page
    /// cache shows: after a failed sync the two differ, and the cache takes its pages for clean.
    fn open_uncached(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = self.open_read(path)?;
        file.forget(0..file.len()?);
        Ok(file)
    }

    /// Renames a file, replacing `to` if it exists. Atomic, durable after `sync_dir`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file's name. Durable after `sync_dir`.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a file that nothing needs any more, now or soon, and drops `handle`, which may be
    /// what keeps its space. Nobody waits for it: a failure leaves the file to the next start.
    fn discard(&self, path: &Path, handle: Option<Arc<dyn File>>) {
        drop(handle);
        // The next start removes what this could not.
        self.remove(path).ok();
    }

    /// Removes an empty directory that nothing needs any more. One that stays, since something is in
    /// it or the file system does not do that, harms nobody.
    fn remove_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Makes creations, renames and removals in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the exclusive lock at `path`, held until the guard is dropped or the process ends.
    ///
    /// # Errors
    /// `WouldBlock` when another process, or another guard, holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>>;

    /// Size and free space of the file system that holds `dir`.
    fn space(&self, dir: &Path) -> io::Result<Space>;

    /// Syncs several files, in parallel where that helps. One result a file, in order.
    fn sync_data_all(&self, files: &[Arc<dyn File>]) -> Vec<io::Result<()>> {
        files.iter().map(|file| file.sync_data()).collect()
    }
}

/// Calls on one open file. Positional only: no shared cursor, so threads need no lock.
#[expect(clippy::len_without_is_empty, reason = "a call to the file system, not a collection")]
pub trait File: Debug + Send + Sync {
    /// Length in bytes, as the file system shows it now.
    fn len(&self) -> io::Result<u64>;

    /// Reads up to `buf.len()` bytes at `position`; 0 at the end of the file.
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize>;

    /// Writes the slices back to back at `position` and returns how many bytes went out,
    /// which may be fewer than given.
    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize>;

    /// Reserves space for the first `len` bytes; bytes never written read as zero.
    /// A file system without reservation just extends the file.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Cuts or extends the file to `len` bytes.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// fdatasync: the file's bytes and length are durable when this returns `Ok`.
    /// After an error nothing is known about them, and a later `Ok` proves nothing
    /// ("Can Applications Recover from fsync Failures?", Rebello et al., ATC 2020).
    fn sync_data(&self) -> io::Result<()>;

    /// Tells the kernel that these bytes will not be read again soon.
    fn forget(&self, bytes: Range<u64>);
}

/// Fills `buf` from `position`, or says how the file ended short (`UnexpectedEof`).
pub fn read_exact_at(file: &dyn File, mut buf: &mut [u8], mut position: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match file.read_at(buf, position) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                buf = buf.get_mut(n..).unwrap_or_default();
                position += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all the slices at `position`, going on after short writes.
/// After an error an unknown part of them is in the file.
pub fn write_all_at(
    file: &dyn File,
    mut slices: &mut [IoSlice<'_>],
    mut position: u64,
) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_at(slices, position) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                IoSlice::advance_slices(&mut slices, n);
                position += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Replaces `dir/name` by `content` so that a crash leaves the old content or the new, never a mix:
/// temporary file, sync, rename, directory sync.
pub fn replace(vfs: &dyn Vfs, dir: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let temporary = dir.join(format!("{name}.tmp"));
    remove_if_there(vfs, &temporary)?;
    let file = vfs.create(&temporary)?;
    write_all_at(&*file, &mut [IoSlice::new(content)], 0)?;
    file.sync_data()?;
    vfs.rename(&temporary, &dir.join(name))?;
    vfs.sync_dir(dir)
}

/// Removes a file that may not be there.
pub fn remove_if_there(vfs: &dyn Vfs, path: &Path) -> io::Result<()> {
    match vfs.remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The whole content of a file of at most `limit` bytes.
pub fn read_all(vfs: &dyn Vfs, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = vfs.open(path)?;
    let len = file.len()?;
    if len > limit {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{len} bytes, more than the {limit} that this file may have"),
        ));
    }
    let mut content = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    read_exact_at(&*file, &mut content, 0)?;
    Ok(content)
}
