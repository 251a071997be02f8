//! Finds what a damaged segment still holds: every record whose own checksum matches, wherever in
//! the file its batch stands. It changes nothing, and it believes no length that it has not checked.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;

use crate::batch::{Batch, HEADER_LEN, Header, Kind, array_at};
use crate::dedup_id::{self, Indexed};
use crate::error::LogError;
use crate::ranges::RangeSet;
use crate::scan::{Found, Walk};
use crate::segment;
use crate::vfs::{File, read_exact_at};
use crate::window::Window;

/// The batches of a damaged segment that can still be found.
#[derive(Debug)]
pub(crate) struct Salvage {
    window: Window,
    salt: u64,
    limit: u64,
    /// First seqs and positions of batches with records, in the order of their seqs.
    batches: Vec<(u64, u64)>,
    /// Bytes behind the header that belong to no batch that was found, or to one that is not whole.
    pub(crate) damaged: RangeSet,
    /// Everything below was there once, as the batches that were found say.
    pub(crate) known_end: u64,
    /// The seq that the seal names, if there is one.
    pub(crate) sealed_end: Option<u64>,
}

impl Salvage {
    /// Looks for every batch of the segment with `salt` whose records lie within `seqs`.
    pub(crate) fn scan(file: &Arc<dyn File>, salt: u64, seqs: &Range<u64>) -> io::Result<Self> {
        let limit = file.len()?;
        let mut salvage = Self {
            window: Window::new(Arc::clone(file)),
            salt,
            limit,
            batches: Vec::new(),
            damaged: RangeSet::new(),
            known_end: seqs.start,
            sealed_end: None,
        };
        let mut walk = Walk::anywhere(Arc::clone(file), limit, salt);
        let mut position = segment::HEADER_LEN as u64;
        while let Some(found) = walk.search(position)? {
            salvage.damaged.insert(position..found.position);
            salvage.note(found, seqs);
            // A batch that reaches beyond the file says nothing of where the next one stands.
            let end = found.end();
            let whole = end <= limit;
            position = if whole { end } else { found.position + HEADER_LEN as u64 };
        }
        salvage.damaged.insert(position..limit);
        salvage.batches.sort_unstable();
        Ok(salvage)
    }

    fn note(&mut self, found: Found, seqs: &Range<u64>) {
        let Header { kind, first_seq, durable_end, .. } = found.header;
        let end_seq = found.header.end_seq();
        if first_seq < seqs.start || end_seq > seqs.end || durable_end > seqs.end {
            self.damaged.insert(found.position..found.end().min(self.limit));
            return;
        }
        self.known_end = self.known_end.max(end_seq).max(durable_end);
        match kind {
            Kind::Records => self.batches.push((first_seq, found.position)),
            Kind::Marker => {}
            Kind::Seal => self.sealed_end = Some(first_seq),
        }
    }

    /// Bytes of the file.
    pub(crate) fn file_len(&self) -> u64 {
        self.limit
    }

    /// Hands out all whole records, in the order of their seqs, each once, and returns their seqs.
    /// Neighbours of one batch come together, with their ids if those of the batch are whole.
    ///
    /// # Errors
    /// Of the disk, or of `each`.
    pub(crate) fn records(
        &mut self,
        path: &Path,
        mut each: impl FnMut(Batch) -> Result<(), LogError>,
    ) -> Result<RangeSet, LogError> {
        let mut kept = RangeSet::new();
        let mut next_seq = 0;
        for (_, position) in std::mem::take(&mut self.batches) {
            let read = self.batch(position).map_err(LogError::io("read", path))?;
            let Some((header, body)) = read else { continue };
            let runs = whole_records(&header, &body, next_seq);
            let whole: u64 = runs.iter().map(|run| run.ends.len() as u64).sum();
            if whole < u64::from(header.count) || header.ids(&body).is_err() {
                let end = position + header.disk_len();
                self.damaged.insert(position..end.min(self.limit));
            }
            for run in runs {
                next_seq = run.end_seq();
                kept.insert(run.first_seq..run.end_seq());
                each(run)?;
            }
        }
        Ok(kept)
    }

    /// The batch that was found at `position`: its header, and as much of its body as the file
    /// holds.
    fn batch(&mut self, position: u64) -> io::Result<Option<(Header, Bytes)>> {
        let bytes = self.window.slice(position, HEADER_LEN, self.limit)?.unwrap_or_default();
        let Ok((header, _)) = Header::decode(&array_at(&bytes, 0), self.salt) else {
            return Ok(None);
        };
        let start = position + HEADER_LEN as u64;
        let left = usize::try_from(self.limit.saturating_sub(start)).unwrap_or(usize::MAX);
        let len = header.body_len().min(left);
        let body = self.window.slice(start, len, self.limit)?.unwrap_or_default();
        Ok(Some((header, body)))
    }
}

/// The runs of whole records of a batch from `from` on.
fn whole_records(header: &Header, body: &Bytes, from: u64) -> Vec<Batch> {
    let mut runs: Vec<Batch> = Vec::new();
    let Some(rows) = header.rows(body) else { return runs };
    let mut place = header.table_len();
    for (row, seq) in rows.zip(header.first_seq..) {
        let end = place.saturating_add(row.len as usize);
        let payload = body.get(place..end).filter(|payload| crc32c::crc32c(payload) == row.sum);
        if seq >= from && payload.is_some() {
            match runs.last_mut() {
                Some(run) if run.end_seq() == seq => run.ends.push(row.len),
                _ => runs.push(Batch {
                    first_seq: seq,
                    time: header.time,
                    ends: vec![row.len],
                    payloads: body.slice(place..),
                    ids: Bytes::new(),
                }),
            }
        }
        place = end;
    }
    let ids: Vec<Indexed> =
        header.ids(body).map(|ids| dedup_id::decode(&ids).collect()).unwrap_or_default();
    // They are of the batch, so they differ by less than its 32 bits.
    let index = |seq: u64| u32::try_from(seq - header.first_seq).unwrap_or(u32::MAX);
    for run in &mut runs {
        run.ids = dedup_id::encode(&ids, index(run.first_seq), index(run.end_seq())).into();
        let mut total = 0;
        for end in &mut run.ends {
            total += *end;
            *end = total;
        }
        run.payloads.truncate(total as usize);
    }
    runs
}

/// Bytes read at once where single ones may be unreadable: a disk's sector, a cache's page.
const SECTOR: usize = 4096;

/// A file of which some sectors cannot be read any more: they read as bytes that nobody writes there.
#[derive(Debug)]
pub(crate) struct Unreadable {
    file: Arc<dyn File>,
    /// How many more there may be. Beyond that it is the disk that fails, and not a sector.
    left: AtomicU64,
    is_met: AtomicBool,
}

impl Unreadable {
    /// `file`, of which so many bytes may be unreadable.
    pub(crate) fn within(file: Arc<dyn File>, bytes: u64) -> Arc<Self> {
        let left = AtomicU64::new(bytes / SECTOR as u64);
        Arc::new(Self { file, left, is_met: AtomicBool::new(false) })
    }

    /// Whether any was met.
    pub(crate) fn is_met(&self) -> bool {
        self.is_met.load(Ordering::Acquire)
    }

    fn sector_by_sector(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let mut at = position;
        for piece in buf.chunks_mut(SECTOR) {
            if let Err(error) = read_exact_at(&*self.file, piece, at) {
                let one_less = |left: u64| left.checked_sub(1);
                let counted = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less);
                counted.map_err(|_| error)?;
                // Zeros would pass for space that nothing was written to.
                piece.fill(0xff);
                self.is_met.store(true, Ordering::Release);
            }
            at += piece.len() as u64;
        }
        Ok(buf.len())
    }
}

impl File for Unreadable {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        match self.file.read_at(buf, position) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                let left = self.file.len()?.saturating_sub(position);
                let len = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
                self.sector_by_sector(buf.get_mut(..len).unwrap_or_default(), position)
            }
            result => result,
        }
    }

    fn write_at(&self, slices: &[io::IoSlice<'_>], position: u64) -> io::Result<usize> {
        self.file.write_at(slices, position)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.file.allocate(len)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn forget(&self, bytes: Range<u64>) {
        self.file.forget(bytes);
    }
}
