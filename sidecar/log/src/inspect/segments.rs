//! The segment files of one log directory, read one by one, whatever state they are in.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::batch::{Batch, u64_at};
use crate::error::{Corruption, LogError};
use crate::ranges::RangeSet;
use crate::salvage::{Salvage, Unreadable};
use crate::seal;
use crate::segment;
use crate::vfs::{File, Vfs};
use crate::view::SegmentView;

/// A segment file, by its name.
#[derive(Debug, Clone)]
pub(super) struct SegmentFile {
    pub(super) path: PathBuf,
    /// The seqs that its name and that of the next leave for it.
    pub(super) seqs: Range<u64>,
}

/// The segment files of a directory, in order.
pub(super) fn list(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<SegmentFile>, LogError> {
    let names = super::names(vfs, dir)?;
    let mut bases: Vec<_> =
        names.iter().filter_map(|name| segment::parse_file_name(name)).collect();
    bases.sort_unstable();
    let ends = bases.iter().skip(1).copied().chain([u64::MAX]);
    let file = |(&base, end): (&u64, u64)| SegmentFile {
        path: dir.join(segment::file_name(base)),
        seqs: base..end,
    };
    Ok(bases.iter().zip(ends).map(file).collect())
}

impl SegmentFile {
    /// Hands out every whole record, in order, and returns their seqs and where the segment ends, as
    /// far as it tells.
    pub(super) fn read(
        &self,
        vfs: &dyn Vfs,
        each: impl FnMut(Batch) -> Result<(), LogError>,
    ) -> Result<(RangeSet, u64), LogError> {
        let path = &self.path;
        let file = vfs.open_read(path).map_err(LogError::io("open", path))?;
        let file: Arc<dyn File> = Unreadable::within(file, u64::MAX);
        let mut block = vec![0; segment::HEADER_LEN];
        file.read_at(&mut block, 0).map_err(LogError::io("read", path))?;
        let scanned = Salvage::scan(&file, u64_at(&block, segment::SALT_AT), &self.seqs);
        let mut salvage = scanned.map_err(LogError::io("read", path))?;
        let end = salvage.sealed_end.unwrap_or(salvage.known_end);
        Ok((salvage.records(path, each)?, end))
    }

    /// A segment of so many bytes that a start does not come to, sealed as it should be.
    pub(super) fn view(&self, vfs: &dyn Vfs, bytes: u64) -> Result<Arc<SegmentView>, LogError> {
        let path = &self.path;
        let file = vfs.open(path).map_err(LogError::io("open", path))?;
        let mut block = vec![0; segment::HEADER_LEN];
        let read = file.read_at(&mut block, 0).map_err(LogError::io("read", path))?;
        block.truncate(read);
        let (header, _) = segment::decode(path, &block)?;
        if header.base_seq != self.seqs.start {
            let kind = Corruption::Chain;
            return Err(LogError::Corrupt { path: path.clone(), position: 0, kind });
        }
        let published = bytes.saturating_sub(seal::LEN as u64);
        Ok(SegmentView::new(path.clone(), file, &header, published, None))
    }
}
