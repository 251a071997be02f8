//! Walks the batches of a segment, checking each against the one before.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::batch::{ALIGNMENT, Batch, HEADER_LEN, Header, Kind, MAGIC, array_at};
use crate::error::Corruption;
use crate::segment;
use crate::vfs::File;
use crate::view::SegmentView;
use crate::window::Window;

/// Bytes that a search looks through at once.
const SEARCH_LEN: usize = 64 << 10;

/// Why a walk cannot go on.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The disk refused a read.
    Io(io::Error),
    /// There is no valid batch here.
    Invalid(Corruption),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A batch header and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) header: Header,
    pub(crate) position: u64,
    /// The header's checksum: the next batch's chain.
    pub(crate) sum: u32,
}

impl Found {
    /// Byte position after the batch.
    pub(crate) fn end(&self) -> u64 {
        self.position + self.header.disk_len()
    }
}

/// A walk over one segment, forwards.
#[derive(Debug)]
pub(crate) struct Walk {
    window: Window,
    salt: u64,
    /// Nothing at or above this byte is looked at.
    pub(crate) limit: u64,
    position: u64,
    expected: Expected,
    /// Whether seqs may be missing between batches.
    sparse: bool,
}

/// What the next batch must continue.
#[derive(Debug, Clone, Copy)]
struct Expected {
    /// `None` where the batch before is not known.
    chain: Option<u32>,
    seq: u64,
    time: u64,
}

impl Walk {
    /// From the first batch of the segment with this header and header checksum.
    pub(crate) fn from_start(
        file: Arc<dyn File>,
        limit: u64,
        header: &segment::Header,
        sum: u32,
    ) -> Self {
        let expected = Expected { chain: Some(sum), seq: header.base_seq, time: 0 };
        let position = segment::HEADER_LEN as u64;
        let sparse = header.mended;
        Self { window: Window::new(file), salt: header.salt, limit, position, expected, sparse }
    }

    /// From the batch at `position`, which starts with `seq` and whose predecessor is not known.
    pub(crate) fn from_batch(view: &SegmentView, limit: u64, position: u64, seq: u64) -> Self {
        let expected = Expected { chain: None, seq, time: 0 };
        let SegmentView { salt, sparse, .. } = *view;
        let window = Window::new(Arc::clone(&view.file));
        Self { window, salt, limit, position, expected, sparse }
    }

    /// For [`Self::search`] alone.
    pub(crate) fn anywhere(file: Arc<dyn File>, limit: u64, salt: u64) -> Self {
        let expected = Expected { chain: None, seq: 0, time: 0 };
        let position = segment::HEADER_LEN as u64;
        Self { window: Window::new(file), salt, limit, position, expected, sparse: true }
    }

    /// The first batch must be chained to the segment header with this checksum.
    pub(crate) fn chained_to(&mut self, sum: u32) {
        self.expected.chain = Some(sum);
    }

    /// Where the next batch is looked for.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The header of the batch here; it must continue the batch before.
    pub(crate) fn header(&mut self) -> Result<Found, Halt> {
        let found =
            self.header_at(self.position)?.ok_or(Halt::Invalid(Corruption::Truncated))??;
        let Header { first_seq, chain, time, .. } = found.header;
        let Expected { chain: after, seq, time: earliest } = self.expected;
        let in_order = if self.sparse { first_seq >= seq } else { first_seq == seq };
        if after.is_some_and(|after| chain != after) || !in_order || time < earliest {
            return Err(Halt::Invalid(Corruption::Chain));
        }
        if found.end() > self.limit {
            return Err(Halt::Invalid(Corruption::Truncated));
        }
        Ok(found)
    }

    /// The body of a batch that [`Self::header`] found: table, payloads, padding. Unverified.
    pub(crate) fn body(&mut self, found: &Found) -> Result<Bytes, Halt> {
        let start = found.position + HEADER_LEN as u64;
        self.window
            .slice(start, found.header.body_len(), self.limit)?
            .ok_or(Halt::Invalid(Corruption::Truncated))
    }

    /// The verified content of a batch that [`Self::header`] found.
    pub(crate) fn batch(&mut self, found: &Found) -> Result<Batch, Halt> {
        let body = self.body(found)?;
        if found.header.kind == Kind::Records {
            return Batch::decode(&found.header, &body).map_err(Halt::Invalid);
        }
        let payload = body.get(..found.header.payload_len as usize).unwrap_or_default();
        if crc32c::crc32c(payload) != found.header.table_sum {
            return Err(Halt::Invalid(Corruption::Checksum));
        }
        let Header { first_seq, time, .. } = found.header;
        Ok(Batch { first_seq, time, ends: Vec::new(), payloads: body, ids: Bytes::new() })
    }

    /// Goes on behind `found`.
    pub(crate) fn pass(&mut self, found: &Found) {
        self.position = found.end();
        self.expected = Expected {
            chain: Some(found.sum),
            seq: found.header.end_seq(),
            time: found.header.time,
        };
    }

    /// The next valid batch header of this segment at or after `from`, whatever it continues:
    /// the evidence that something was written behind a place that does not validate.
    pub(crate) fn search(&mut self, from: u64) -> io::Result<Option<Found>> {
        let mut position = from.next_multiple_of(ALIGNMENT as u64);
        loop {
            let left = self.limit.saturating_sub(position);
            let len = usize::try_from(left).unwrap_or(SEARCH_LEN).min(SEARCH_LEN);
            let Some(piece) = self.window.slice(position, len, self.limit)? else {
                return Ok(None);
            };
            let candidates = piece.chunks_exact(ALIGNMENT).zip((position..).step_by(ALIGNMENT));
            for (_, at) in candidates.filter(|(start, _)| start.starts_with(&MAGIC)) {
                if let Some(Ok(found)) = self.header_at(at)? {
                    return Ok(Some(found));
                }
            }
            position += len as u64;
            if len < SEARCH_LEN {
                return Ok(None);
            }
        }
    }

    /// `None` when the segment ends before a whole header.
    fn header_at(&mut self, position: u64) -> io::Result<Option<Result<Found, Halt>>> {
        let Some(bytes) = self.window.slice(position, HEADER_LEN, self.limit)? else {
            return Ok(None);
        };
        let decoded = Header::decode(&array_at(&bytes, 0), self.salt);
        Ok(Some(decoded.map_or_else(
            |kind| Err(Halt::Invalid(kind)),
            |(header, sum)| Ok(Found { header, position, sum }),
        )))
    }
}
