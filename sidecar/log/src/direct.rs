//! Reads past the page cache (`O_DIRECT`), where the file system can.
//!
//! For one purpose: after a failed sync the cache shows what the disk does not have, and takes it
//! for clean. It never writes.

use std::fs::{self, OpenOptions};
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::vfs::File;

/// Positions, lengths and addresses of direct reads are multiples of this; no disk wants more.
const BLOCK: usize = 4096;
/// Bytes read at once.
const PIECE: usize = 256 << 10;

/// A file whose reads come from the disk.
#[derive(Debug)]
pub(crate) struct DirectFile {
    direct: fs::File,
    /// The same file through the cache, for where the other way is refused.
    cached: Arc<dyn File>,
}

impl DirectFile {
    /// The file at `path`, which `cached` is too; `None` where the file system has no such reads.
    pub(crate) fn open(path: &Path, cached: &Arc<dyn File>) -> Option<Arc<dyn File>> {
        let flags = i32::try_from(OFlags::DIRECT.bits()).ok()?;
        let direct = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
        let file = Self { direct, cached: Arc::clone(cached) };
        // Some file systems take the flag and refuse the reads.
        file.read_blocks(0, 1).ok()?;
        Some(Arc::new(file))
    }

    /// At least the byte at `position`, unless the file ends before, and at most `len`.
    fn read_blocks(&self, position: u64, len: usize) -> io::Result<Vec<u8>> {
        let skip = usize::try_from(position % BLOCK as u64).unwrap_or(0);
        let wanted = (skip + len).next_multiple_of(BLOCK).min(PIECE);
        let mut buffer = vec![0; wanted + BLOCK];
        let aligned = buffer.as_ptr().align_offset(BLOCK);
        let place = buffer.get_mut(aligned..aligned + wanted).unwrap_or_default();
        let read = self.direct.read_at(place, position - skip as u64)?;
        let end = aligned + read.min(skip + len);
        Ok(buffer.get(aligned + skip..end).unwrap_or_default().to_vec())
    }
}

impl File for DirectFile {
    fn len(&self) -> io::Result<u64> {
        self.cached.len()
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        match self.read_blocks(position, buf.len()) {
            Ok(bytes) => {
                if let Some(place) = buf.get_mut(..bytes.len()) {
                    place.copy_from_slice(&bytes);
                }
                Ok(bytes.len())
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.cached.read_at(buf, position)
            }
            Err(error) => Err(error),
        }
    }

    fn write_at(&self, _: &[IoSlice<'_>], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn forget(&self, bytes: Range<u64>) {
        self.cached.forget(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::vfs::{Vfs, read_exact_at};

    #[test]
    fn any_piece_of_a_file_reads_as_through_the_cache() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let content: Vec<u8> = (0..=250).cycle().take(3 * PIECE + 777).collect();
        std::fs::write(&path, &content).unwrap();
        std::fs::File::open(&path).unwrap().sync_all().unwrap();
        let file = Disk::new().open_uncached(&path).unwrap();
        for (from, len) in
            [(0, 1), (1, 4096), (4095, 2), (PIECE - 3, PIECE + 9), (0, content.len())]
        {
            let mut piece = vec![0; len];
            read_exact_at(&*file, &mut piece, from as u64).unwrap();
            assert!(piece == content[from..from + len], "{len} bytes at {from}");
        }
        assert_eq!(file.read_at(&mut [0; 10], content.len() as u64).unwrap(), 0);
        assert_eq!(file.read_at(&mut [0; 10], content.len() as u64 - 3).unwrap(), 3);
        assert!(read_exact_at(&*file, &mut [0; 4], content.len() as u64 - 3).is_err());
    }
}
