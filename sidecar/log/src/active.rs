//! The segment that is being written: the only code that appends to a log.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use crate::batch::{self, ALIGNMENT, Header, Kind, ROW_LEN};
use crate::dedup_id::ID_LEN;
use crate::error::LogError;
use crate::index::{Entry, SparseIndex};
use crate::seal::{self, Seal};
use crate::segment;
use crate::vfs::{File, Vfs, write_all_at};
use crate::view::SegmentView;

/// The end of a log, as the next batch must continue it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// Seq of the next record.
    pub(crate) seq: u64,
    /// Checksum of the last batch header.
    pub(crate) chain: u32,
    /// Unix time of the last commit in nanoseconds.
    pub(crate) time: u64,
}

/// An open segment and where its next batch goes.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) view: Arc<SegmentView>,
    /// As it is in the file.
    pub(crate) header: segment::Header,
    position: u64,
    first_time: Option<u64>,
    /// Unix time of the last commit of records in nanoseconds; of the segment's creation before one.
    last_time: u64,
    padding: Vec<u8>,
    /// Whether bytes were written that no sync has covered yet.
    pub(crate) dirty: bool,
}

/// Records to append: a part of what one commit took from a log's channel.
pub(crate) struct Records<'a> {
    pub(crate) payloads: &'a [u8],
    /// Where each payload ends, from the start of `payloads`.
    pub(crate) ends: &'a [u32],
    pub(crate) sums: &'a [u32],
    /// The ids of those that have one, as [`crate::dedup_id`] encodes them.
    pub(crate) ids: &'a [u8],
}

impl Active {
    /// Makes a segment with this header, in the place of one of its name. It has its name only once
    /// its header is synced, so that a segment with a damaged header is never the trace of a crash.
    pub(crate) fn create(
        vfs: &dyn Vfs,
        dir: &Path,
        header: &segment::Header,
    ) -> Result<(Self, u32), LogError> {
        let path = dir.join(segment::file_name(header.base_seq));
        let temporary = segment::temporary(&path);
        let made = Self::write_header(vfs, &temporary, header).and_then(|made| {
            vfs.rename(&temporary, &path).map_err(LogError::io("rename", &path))?;
            Ok(made)
        });
        let (file, sum) = made.inspect_err(|_| {
            // Best effort: what stays behind is removed by the next start.
            vfs.remove(&temporary).ok();
        })?;
        vfs.sync_dir(dir).map_err(LogError::sync(dir))?;
        Ok((Self::empty(path, file, header), sum))
    }

    /// Makes a segment under a name of its own, for whoever gives it another one once it is whole.
    pub(crate) fn unnamed(
        vfs: &dyn Vfs,
        path: &Path,
        header: &segment::Header,
    ) -> Result<(Self, u32), LogError> {
        let (file, sum) = Self::write_header(vfs, path, header)?;
        Ok((Self::empty(path.to_owned(), file, header), sum))
    }

    fn empty(path: PathBuf, file: Arc<dyn File>, header: &segment::Header) -> Self {
        let position = segment::HEADER_LEN as u64;
        let index = Some(SparseIndex::default());
        Self {
            view: SegmentView::new(path, file, header, position, index),
            header: *header,
            position,
            first_time: None,
            last_time: header.created,
            padding: Vec::new(),
            dirty: false,
        }
    }

    fn write_header(
        vfs: &dyn Vfs,
        path: &Path,
        header: &segment::Header,
    ) -> Result<(Arc<dyn File>, u32), LogError> {
        let file = vfs.create(path).map_err(LogError::io("create", path))?;
        file.allocate(header.len).map_err(LogError::io("allocate", path))?;
        let (block, sum) = header.encode();
        write_all_at(&*file, &mut [IoSlice::new(&block)], 0)
            .map_err(LogError::io("write", path))?;
        file.sync_data().map_err(LogError::sync(path))?;
        Ok((file, sum))
    }

    /// Bytes that a segment needs for `payload_len` bytes in one record, with or without an id.
    pub(crate) fn len_for(payload_len: usize) -> u64 {
        let body = (payload_len + ROW_LEN + ID_LEN).next_multiple_of(ALIGNMENT);
        let len = segment::HEADER_LEN + batch::HEADER_LEN + body + seal::LEN;
        len.next_multiple_of(segment::HEADER_LEN) as u64
    }

    /// How many of the records that end at `ends`, counted from byte `start`, fit as one batch;
    /// `ids` tells how many ids the first so many of them have.
    pub(crate) fn fitting(&self, start: u32, ends: &[u32], ids: impl Fn(usize) -> usize) -> usize {
        let room = (self.allocated() - self.position).saturating_sub(seal::LEN as u64);
        let fits = |count: usize, end: u32| {
            let beside = count * ROW_LEN + ids(count) * ID_LEN;
            let body = (beside + (end - start) as usize).next_multiple_of(ALIGNMENT);
            (batch::HEADER_LEN + body) as u64 <= room && body <= batch::MAX_BODY_LEN as usize
        };
        // The length rises with the count, so halving finds the last that fits.
        let (mut fit, mut too_many) = (0, ends.len() + 1);
        while fit + 1 < too_many {
            let count = usize::midpoint(fit, too_many);
            if ends.get(count - 1).is_some_and(|&end| fits(count, end)) {
                fit = count;
            } else {
                too_many = count;
            }
        }
        fit
    }

    /// Writes records as one batch behind `end`, and returns the new end. Not synced.
    ///
    /// # Errors
    /// After any error the segment is as before: the next batch overwrites what got there.
    pub(crate) fn append(
        &mut self,
        end: End,
        durable_end: u64,
        records: &Records<'_>,
    ) -> Result<End, LogError> {
        let table = batch::encode_table(records.ends, records.sums);
        let header = Header {
            kind: Kind::Records,
            count: narrow(records.ends.len())?,
            first_seq: end.seq,
            time: end.time,
            chain: end.chain,
            table_sum: crc32c::crc32c(&table),
            payload_len: narrow(records.payloads.len())?,
            durable_end,
            ids_len: narrow(records.ids.len())?,
            ids_sum: crc32c::crc32c(records.ids),
        };
        let entry = Entry { seq: end.seq, position: self.position, time: end.time };
        let chain = self.write(&header, &[&table, records.payloads, records.ids])?;
        self.first_time.get_or_insert(end.time);
        self.view.note_time(end.time);
        self.last_time = end.time;
        if let Some(index) = &mut *self.view.index.lock().unwrap_or_else(PoisonError::into_inner) {
            index.note(entry);
        }
        Ok(End { seq: header.end_seq(), chain, time: end.time })
    }

    /// Writes a marker behind `end`, if there is room: a witness that all before it was synced.
    pub(crate) fn mark(&mut self, end: End) -> Result<End, LogError> {
        if self.allocated() - self.position < (batch::HEADER_LEN + seal::LEN) as u64 {
            return Ok(end);
        }
        let header = Header {
            kind: Kind::Marker,
            count: 0,
            first_seq: end.seq,
            time: self.last_time,
            chain: end.chain,
            table_sum: 0,
            payload_len: 0,
            durable_end: end.seq,
            ids_len: 0,
            ids_sum: 0,
        };
        let chain = self.write(&header, &[])?;
        Ok(End { chain, ..end })
    }

    /// One batch in one call to the disk.
    fn write(&mut self, header: &Header, body: &[&[u8]]) -> Result<u32, LogError> {
        let (bytes, sum) = header.encode(self.header.salt);
        let written: usize = body.iter().map(|part| part.len()).sum();
        self.padding.resize(header.body_len() - written, 0);
        let mut slices = vec![IoSlice::new(&bytes)];
        slices.extend(body.iter().map(|part| IoSlice::new(part)));
        slices.push(IoSlice::new(&self.padding));
        write_all_at(&*self.view.file, &mut slices, self.position)
            .map_err(LogError::io("write", &self.view.path))?;
        self.position += header.disk_len();
        self.dirty = true;
        Ok(sum)
    }

    /// What was written is synced.
    pub(crate) fn synced(&mut self) {
        self.dirty = false;
    }

    /// Readers may come up to here.
    pub(crate) fn publish(&self) {
        self.view.publish_len(self.position);
    }

    /// Closes the segment: seal, sync, cut off what was reserved in vain, write the index.
    /// Everything in it is durable when this returns.
    pub(crate) fn seal(&mut self, vfs: &dyn Vfs, end: End) -> Result<(End, u64), LogError> {
        let end = self.close(end)?;
        let index = self.view.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = &*index {
            store_index(vfs, &self.view, index);
        }
        Ok((end, self.position + seal::LEN as u64))
    }

    /// The same without the index.
    pub(crate) fn close(&mut self, end: End) -> Result<End, LogError> {
        let seal = Seal {
            end_seq: end.seq,
            time: self.last_time,
            chain: end.chain,
            first_time: self.first_time.unwrap_or(self.last_time),
            position: self.position,
        };
        let chain = write_seal(&*self.view.file, &self.view.path, &seal, self.header.salt)?;
        self.synced();
        self.publish();
        Ok(End { chain, ..end })
    }

    /// Unix time of its first commit in nanoseconds, if it holds a record.
    pub(crate) fn first_time(&self) -> Option<u64> {
        self.first_time
    }

    /// Unix time of the last commit of records in nanoseconds; of its creation before one.
    pub(crate) fn last_time(&self) -> u64 {
        self.last_time
    }

    /// Whether it holds no record yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.first_time.is_none()
    }

    /// Bytes that the file takes.
    pub(crate) fn allocated(&self) -> u64 {
        self.header.len
    }
}

/// A number that has 32 bits in the format.
fn narrow(number: usize) -> Result<u32, LogError> {
    u32::try_from(number)
        .map_err(|_| LogError::TooLarge { size: number as u64, limit: u32::MAX.into() })
}

/// Closes a segment durably with a seal at its position. Returns the seal's checksum. Doing it
/// again changes nothing.
///
/// A sync stands between each two steps, for what a power cut may keep of un-synced ones: a seal
/// proves that all before it is there, and a file that was cut off proves that it was sealed.
pub(crate) fn write_seal(
    file: &dyn File,
    path: &Path,
    seal: &Seal,
    salt: u64,
) -> Result<u32, LogError> {
    let (bytes, sum) = seal.encode(salt);
    let sync = || file.sync_data().map_err(LogError::sync(path));
    sync()?;
    write_all_at(file, &mut [IoSlice::new(&bytes)], seal.position)
        .map_err(LogError::io("write", path))?;
    sync()?;
    file.truncate(seal.position + bytes.len() as u64).map_err(LogError::io("truncate", path))?;
    sync()?;
    Ok(sum)
}

/// Best effort: an index that is missing or not whole is made anew from the segment.
fn store_index(vfs: &dyn Vfs, view: &SegmentView, index: &SparseIndex) {
    let path = view.path.with_extension("idx");
    let stored = vfs
        .create(&path)
        .and_then(|file| write_all_at(&*file, &mut [IoSlice::new(&index.encode(view.salt))], 0));
    if let Err(error) = stored {
        tracing::debug!(path = %path.display(), %error, "index not stored");
    }
}
