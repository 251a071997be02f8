//! Copies of damaged bytes, for whoever wants to know what happened, and the record of what was
//! done about them. Both are best effort where space is short: neither may keep a log from going on,
//! nor fill the volume.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{LogError, is_out_of_space};
use crate::ranges::RangeSet;
use crate::vfs::{File, Vfs, remove_if_there, write_all_at};

/// Directory of the copies, below that of their log.
pub(crate) const QUARANTINE: &str = "quarantine";
/// What was done about damage, a line each.
pub(crate) const AUDIT: &str = "audit.log";
/// Bytes copied at once.
const PIECE: usize = 256 << 10;
/// So many copies are kept of one file; beyond that, what lies between is copied too.
const MAX_COPIES: usize = 16;

/// Where the copies of one log go.
pub(crate) struct Quarantine<'a> {
    pub(crate) vfs: &'a dyn Vfs,
    /// The log's directory.
    pub(crate) dir: &'a Path,
    /// Bytes that all copies of this log may take.
    pub(crate) limit: u64,
}

impl Quarantine<'_> {
    /// Copies `ranges` of `file`, which is called `name`, to files called `<name>.<position>`.
    /// Returns whether there was room for it.
    ///
    /// # Errors
    /// Of the disk, but for want of space.
    pub(crate) fn copy(
        &self,
        file: &dyn File,
        name: &str,
        ranges: &RangeSet,
    ) -> Result<bool, LogError> {
        let dir = self.dir.join(QUARANTINE);
        let copied = self.copy_all(file, &dir, name, &coarse(ranges));
        match copied {
            Err(error) if is_out_of_space(&error) => Ok(false),
            copied => copied.map_err(LogError::fatal("quarantine", &dir.join(name))),
        }
    }

    fn copy_all(
        &self,
        file: &dyn File,
        dir: &Path,
        name: &str,
        ranges: &[Range<u64>],
    ) -> io::Result<bool> {
        self.vfs.create_dir(dir)?;
        let mut whole = true;
        for range in ranges {
            let used = used(file, range)?;
            if used.is_empty() {
                continue;
            }
            let path = dir.join(format!("{name}.{}", range.start));
            remove_if_there(self.vfs, &path)?;
            if self.has_room(dir, used.end - used.start)? {
                self.copy_one(file, &path, used)?;
            } else {
                whole = false;
            }
        }
        self.vfs.sync_dir(dir)?;
        self.vfs.sync_dir(self.dir)?;
        Ok(whole)
    }

    /// Half of what is free stays free.
    fn has_room(&self, dir: &Path, bytes: u64) -> io::Result<bool> {
        let mut taken = bytes;
        for name in self.vfs.list(dir)? {
            taken += self.vfs.open_read(&dir.join(name))?.len()?;
        }
        Ok(taken <= self.limit && bytes <= self.vfs.space(dir)?.available / 2)
    }

    fn copy_one(&self, file: &dyn File, path: &Path, range: Range<u64>) -> io::Result<()> {
        let copy = self.vfs.create(path)?;
        let done = pieces(&range).try_for_each(|piece| {
            let bytes = read(file, &piece)?;
            write_all_at(&*copy, &mut [IoSlice::new(&bytes)], piece.start - range.start)
        });
        done.and_then(|()| copy.sync_data()).inspect_err(|_| {
            // Half a copy is of no use; what it took is needed elsewhere.
            self.vfs.remove(path).ok();
        })
    }
}

/// The ranges, at most [`MAX_COPIES`] of them: the last of many become one.
fn coarse(ranges: &RangeSet) -> Vec<Range<u64>> {
    let mut ranges: Vec<_> = ranges.iter().collect();
    if ranges.len() > MAX_COPIES
        && let Some(rest) = ranges.get(MAX_COPIES - 1..)
        && let (Some(first), Some(last)) = (rest.first(), rest.last())
    {
        let joined = first.start..last.end;
        ranges.truncate(MAX_COPIES - 1);
        ranges.push(joined);
    }
    ranges
}

/// `range` without the zeros at its end: space that was set aside, or what a cut left.
fn used(file: &dyn File, range: &Range<u64>) -> io::Result<Range<u64>> {
    let mut end = range.start;
    for piece in pieces(range) {
        let bytes = read(file, &piece)?;
        if let Some(last) = bytes.iter().rposition(|&byte| byte != 0) {
            end = piece.start + last as u64 + 1;
        }
    }
    Ok(range.start..end)
}

fn pieces(range: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
    let Range { start, end } = *range;
    (start..end).step_by(PIECE).map(move |at| at..end.min(at + PIECE as u64))
}

fn read(file: &dyn File, range: &Range<u64>) -> io::Result<Vec<u8>> {
    let len = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    crate::vfs::read_exact_at(file, &mut bytes, range.start)?;
    Ok(bytes)
}

/// Adds a line on what was done to the audit file in `dir`, with the time.
///
/// # Errors
/// Of the disk, but for want of space.
pub(crate) fn audit(vfs: &dyn Vfs, dir: &Path, what: &str) -> Result<(), LogError> {
    let path: PathBuf = dir.join(AUDIT);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let line = format!("{} {what}\n", since_epoch.as_secs());
    let append = || {
        let there = vfs.list(dir)?.iter().any(|name| name == AUDIT);
        let file = if there { vfs.open(&path)? } else { vfs.create(&path)? };
        write_all_at(&*file, &mut [IoSlice::new(line.as_bytes())], file.len()?)?;
        file.sync_data()?;
        vfs.sync_dir(dir)
    };
    match append() {
        Err(error) if !is_out_of_space(&error) => Err(LogError::fatal("write", &path)(error)),
        _ => Ok(()),
    }
}
