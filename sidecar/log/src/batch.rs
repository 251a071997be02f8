//! One batch: the records of one stream that one group commit writes. Pure: bytes in, bytes out.
//!
//! On disk a batch is a 64-byte header, the record table, then all payloads back to back, then the
//! ids of those records that have one, padded to 8 bytes (FORMAT.md). The table holds each payload's
//! checksum, the header the table's and the ids', and the header's own is seeded with the segment's
//! salt: so one chain of checksums covers every byte, each payload byte is summed once, and a
//! payload that looks like a batch never passes for one.

use std::ops::Range;

use bytes::Bytes;

use crate::dedup_id::{self, DedupId};
use crate::error::Corruption;

/// Bytes of a batch header.
pub(crate) const HEADER_LEN: usize = 64;
const ROW_LEN_FIELD: u16 = 8;
/// Bytes of one row of the record table.
pub(crate) const ROW_LEN: usize = ROW_LEN_FIELD as usize;
/// Batches start at multiples of this.
pub(crate) const ALIGNMENT: usize = 8;
/// No batch body is larger: one record at the hard cap for messages, what a dead letter adds to
/// it, its row, and slack for padding.
pub(crate) const MAX_BODY_LEN: u32 = (64 << 20) + (64 << 10);
/// No record's payload may be larger, in bytes.
pub const MAX_RECORD_LEN: usize = MAX_BODY_LEN as usize - ROW_LEN;

/// Starts every batch.
pub(crate) const MAGIC: [u8; 4] = *b"LBB1";

/// What a batch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Carries records.
    Records,
    /// Carries none: written when the log turns quiet, so that the last records have a synced
    /// witness after them and rot there is told apart from a torn tail.
    Marker,
    /// Closes a segment.
    Seal,
}

impl Kind {
    fn to_bits(self) -> u16 {
        match self {
            Self::Records => 0,
            Self::Marker => 1,
            Self::Seal => 2,
        }
    }

    fn from_bits(bits: u16) -> Option<Self> {
        [Self::Records, Self::Marker, Self::Seal].into_iter().find(|kind| kind.to_bits() == bits)
    }
}

/// The fields of a batch header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// What the batch is for.
    pub(crate) kind: Kind,
    /// Records in it.
    pub(crate) count: u32,
    /// Seq of its first record; for a batch without records, of the next one to come.
    pub(crate) first_seq: u64,
    /// Unix time of the commit in nanoseconds, never lower than the batch before.
    pub(crate) time: u64,
    /// Checksum of the header before this one; the segment header's for the first batch.
    pub(crate) chain: u32,
    /// Checksum of the record table; of the payload in a batch without records.
    pub(crate) table_sum: u32,
    /// Bytes of all payloads.
    pub(crate) payload_len: u32,
    /// First seq not known to be synced when this batch was written.
    pub(crate) durable_end: u64,
    /// Bytes of the ids behind the payloads.
    pub(crate) ids_len: u32,
    /// Their checksum.
    pub(crate) ids_sum: u32,
}

impl Header {
    /// The seq after this batch's last record.
    pub(crate) fn end_seq(&self) -> u64 {
        self.first_seq + u64::from(self.count)
    }

    /// Bytes of the record table.
    pub(crate) fn table_len(&self) -> usize {
        self.count as usize * ROW_LEN
    }

    /// The rows of the record table at the start of `body`; `None` unless it is whole.
    pub(crate) fn rows<'a>(&self, body: &'a [u8]) -> Option<impl Iterator<Item = Row> + 'a> {
        let table = body.get(..self.table_len())?;
        let row = |row: &[u8]| Row { len: u32_at(row, 0), sum: u32_at(row, 4) };
        (crc32c::crc32c(table) == self.table_sum).then(|| table.chunks_exact(ROW_LEN).map(row))
    }

    /// Where the ids start in the body.
    fn ids_start(&self) -> usize {
        self.table_len() + self.payload_len as usize
    }

    /// The ids in `body`, or what is wrong with them.
    pub(crate) fn ids(&self, body: &Bytes) -> Result<Bytes, Corruption> {
        let start = self.ids_start();
        let end = start + self.ids_len as usize;
        if body.len() < end {
            return Err(Corruption::Content);
        }
        let ids = body.slice(start..end);
        if crc32c::crc32c(&ids) != self.ids_sum {
            return Err(Corruption::Checksum);
        }
        dedup_id::check(&ids, self.count)?;
        Ok(ids)
    }

    /// Bytes of table, payloads, ids and padding: what follows the header.
    pub(crate) fn body_len(&self) -> usize {
        (self.ids_start() + self.ids_len as usize).next_multiple_of(ALIGNMENT)
    }

    /// Bytes of the whole batch on disk.
    pub(crate) fn disk_len(&self) -> u64 {
        (HEADER_LEN + self.body_len()) as u64
    }

    /// The header's 64 bytes and its checksum, which is the next batch's `chain`.
    pub(crate) fn encode(&self, salt: u64) -> ([u8; HEADER_LEN], u32) {
        let mut out = [0; HEADER_LEN];
        out[..4].copy_from_slice(&MAGIC);
        out[8..10].copy_from_slice(&self.kind.to_bits().to_le_bytes());
        out[10..12].copy_from_slice(&ROW_LEN_FIELD.to_le_bytes());
        out[12..16].copy_from_slice(&self.count.to_le_bytes());
        out[16..24].copy_from_slice(&self.first_seq.to_le_bytes());
        out[24..32].copy_from_slice(&self.time.to_le_bytes());
        out[32..36].copy_from_slice(&self.chain.to_le_bytes());
        out[36..40].copy_from_slice(&self.table_sum.to_le_bytes());
        out[40..44].copy_from_slice(&self.payload_len.to_le_bytes());
        out[44..48].copy_from_slice(&self.ids_len.to_le_bytes());
        out[48..56].copy_from_slice(&self.durable_end.to_le_bytes());
        out[56..60].copy_from_slice(&self.ids_sum.to_le_bytes());
        let sum = salted_sum(salt, &out[8..]);
        out[4..8].copy_from_slice(&sum.to_le_bytes());
        (out, sum)
    }

    /// The fields of `bytes` and their checksum, or what is wrong with them. Lengths are checked
    /// against the format's limits, so that nobody allocates by a number from a damaged disk.
    pub(crate) fn decode(bytes: &[u8; HEADER_LEN], salt: u64) -> Result<(Self, u32), Corruption> {
        if bytes[..4] != MAGIC {
            return Err(Corruption::Header);
        }
        let sum = u32_at(bytes, 4);
        if salted_sum(salt, &bytes[8..]) != sum {
            return Err(Corruption::Header);
        }
        let kind = Kind::from_bits(u16_at(bytes, 8)).ok_or(Corruption::Content)?;
        let header = Self {
            kind,
            count: u32_at(bytes, 12),
            first_seq: u64_at(bytes, 16),
            time: u64_at(bytes, 24),
            chain: u32_at(bytes, 32),
            table_sum: u32_at(bytes, 36),
            payload_len: u32_at(bytes, 40),
            durable_end: u64_at(bytes, 48),
            ids_len: u32_at(bytes, 44),
            ids_sum: u32_at(bytes, 56),
        };
        let numbered = header.first_seq.checked_add(header.count.into()).is_some();
        let fits = header.body_len() <= MAX_BODY_LEN as usize;
        if u16_at(bytes, 10) != ROW_LEN_FIELD || !fits || !numbered {
            return Err(Corruption::Content);
        }
        Ok((header, sum))
    }
}

/// One row of the record table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// Bytes of the payload.
    pub(crate) len: u32,
    /// Its checksum.
    pub(crate) sum: u32,
}

/// The record table of payloads that end at `ends` (cumulative, bytes) with checksums `sums`.
pub(crate) fn encode_table(ends: &[u32], sums: &[u32]) -> Vec<u8> {
    let mut table = Vec::with_capacity(ends.len() * ROW_LEN);
    let mut start = 0;
    for (&end, sum) in ends.iter().zip(sums) {
        table.extend_from_slice(&(end - start).to_le_bytes());
        table.extend_from_slice(&sum.to_le_bytes());
        start = end;
    }
    table
}

/// Records in memory, as they were committed or as they were read back and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Seq of the first record.
    pub first_seq: u64,
    /// Unix time of the commit in nanoseconds.
    pub time: u64,
    /// Where each record's payload ends in `payloads`.
    pub ends: Vec<u32>,
    /// All payloads, back to back: each a message's ZMTP frames as they came.
    pub payloads: Bytes,
    /// The ids of those records that have one, in the form of the disk: see [`Batch::ids`].
    pub(crate) ids: Bytes,
}

impl Batch {
    /// The seq after the last record.
    pub fn end_seq(&self) -> u64 {
        self.first_seq + self.ends.len() as u64
    }

    /// Where record `index`'s payload starts in `payloads`.
    pub fn start_of(&self, index: usize) -> usize {
        index.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&end| end as usize)
    }

    /// The payload of record `seq`; `None` when the batch does not hold it.
    pub fn payload_bytes(&self, seq: u64) -> Option<&[u8]> {
        let index = usize::try_from(seq.checked_sub(self.first_seq)?).ok()?;
        let end = *self.ends.get(index)? as usize;
        self.payloads.get(self.start_of(index)..end)
    }

    /// The ids of those records that have one, with their seqs, in order.
    pub fn ids(&self) -> impl Iterator<Item = (u64, DedupId)> + '_ {
        dedup_id::decode(&self.ids).map(|(index, id)| (self.first_seq + u64::from(index), id))
    }

    /// The same, to be kept longer than the batch.
    pub fn payload(&self, seq: u64) -> Option<Bytes> {
        Some(self.payloads.slice_ref(self.payload_bytes(seq)?))
    }

    /// Wire bytes of each record of `seqs` that the batch holds.
    pub fn sizes(&self, seqs: Range<u64>) -> impl Iterator<Item = u32> + '_ {
        let indices = self.indices(&seqs);
        let before = indices.start.checked_sub(1).and_then(|before| self.ends.get(before));
        let mut start = before.copied().unwrap_or(0);
        self.ends.get(indices).unwrap_or_default().iter().map(move |&end| {
            let size = end - start;
            start = end;
            size
        })
    }

    /// The payloads of those of `seqs` that the batch holds, back to back and without a copy.
    pub fn payloads_of(&self, seqs: Range<u64>) -> Bytes {
        let indices = self.indices(&seqs);
        self.payloads.slice(self.start_of(indices.start)..self.start_of(indices.end))
    }

    /// The checksum of each payload.
    pub(crate) fn sums(&self) -> impl Iterator<Item = u32> + '_ {
        let payload =
            |(at, &end): (usize, &u32)| self.payloads.get(self.start_of(at)..end as usize);
        self.ends.iter().enumerate().map(move |at| crc32c::crc32c(payload(at).unwrap_or_default()))
    }

    /// Indices of those of `seqs` that the batch holds.
    fn indices(&self, seqs: &Range<u64>) -> Range<usize> {
        let index = |seq: u64| {
            let index = seq.saturating_sub(self.first_seq);
            usize::try_from(index).unwrap_or(usize::MAX).min(self.ends.len())
        };
        index(seqs.start)..index(seqs.end)
    }

    /// Verifies a batch body (table, payloads, ids, padding) against its header and takes it apart.
    ///
    /// # Errors
    /// What is wrong, for the first record or table that is.
    pub(crate) fn decode(header: &Header, body: &Bytes) -> Result<Self, Corruption> {
        let rows = header.rows(body).ok_or(Corruption::Checksum)?;
        if body.len() < header.ids_start() {
            return Err(Corruption::Content);
        }
        let payloads = body.slice(header.table_len()..header.ids_start());
        let ids = header.ids(body)?;
        let mut ends = Vec::with_capacity(header.count as usize);
        let mut start = 0usize;
        for row in rows {
            let end = start + row.len as usize;
            let payload = payloads.get(start..end).ok_or(Corruption::Content)?;
            if crc32c::crc32c(payload) != row.sum {
                return Err(Corruption::Checksum);
            }
            ends.push(u32::try_from(end).map_err(|_| Corruption::Content)?);
            start = end;
        }
        if start != payloads.len() {
            return Err(Corruption::Content);
        }
        Ok(Self { first_seq: header.first_seq, time: header.time, ends, payloads, ids })
    }
}

/// CRC32C of `bytes`, seeded so that it holds for one file only.
pub(crate) fn salted_sum(salt: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), bytes)
}

/// Little-endian fields. Callers pass buffers whose length they have just checked; a short one
/// reads as zero, which no checksum in this format accepts.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

/// See [`u16_at`].
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

/// See [`u16_at`].
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

/// `N` bytes at `at`; see [`u16_at`].
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|field| field.try_into().ok()).unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: DedupId = DedupId { key: [1; 16], content: [2; 16] };

    fn sample() -> (Header, Bytes) {
        let payloads = b"onefour";
        let (ends, sums) =
            ([3, 3, 7], [crc32c::crc32c(b"one"), crc32c::crc32c(b""), crc32c::crc32c(b"four")]);
        let table = encode_table(&ends, &sums);
        let ids = dedup_id::encode(&[(2, ID)], 0, 3);
        let header = Header {
            kind: Kind::Records,
            count: 3,
            first_seq: 7,
            time: 1_000,
            chain: 5,
            table_sum: crc32c::crc32c(&table),
            payload_len: payloads.len().try_into().unwrap(),
            durable_end: 7,
            ids_len: ids.len().try_into().unwrap(),
            ids_sum: crc32c::crc32c(&ids),
        };
        let mut body = table;
        body.extend_from_slice(payloads);
        body.extend_from_slice(&ids);
        body.resize(header.body_len(), 0);
        (header, body.into())
    }

    #[test]
    fn a_batch_comes_back_as_it_was() {
        let (header, body) = sample();
        let (bytes, sum) = header.encode(99);
        assert_eq!(Header::decode(&bytes, 99), Ok((header, sum)));
        let batch = Batch::decode(&header, &body).unwrap();
        assert_eq!(batch.payload(7).unwrap(), "one");
        assert_eq!(batch.payload(8).unwrap(), "");
        assert_eq!(batch.payload(9).unwrap(), "four");
        assert_eq!(batch.payload(10), None);
        assert_eq!(batch.payload(6), None);
        assert_eq!(batch.ids().collect::<Vec<_>>(), [(9, ID)]);
    }

    #[test]
    fn every_flipped_header_bit_is_noticed() {
        let (header, _) = sample();
        let (bytes, _) = header.encode(99);
        for bit in 0..HEADER_LEN * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&damaged, 99).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_flipped_body_bit_is_noticed_but_for_padding() {
        let (header, body) = sample();
        let meaningful = header.ids_start() + header.ids_len as usize;
        for bit in 0..meaningful * 8 {
            let mut damaged = body.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Batch::decode(&header, &damaged.into()).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn another_segments_batch_is_not_this_ones() {
        let (header, _) = sample();
        let (bytes, _) = header.encode(99);
        assert_eq!(Header::decode(&bytes, 98), Err(Corruption::Header));
    }

    #[test]
    fn seqs_beyond_the_last_number_are_refused_even_with_a_good_checksum() {
        let (mut header, _) = sample();
        header.first_seq = u64::MAX - 3;
        let (bytes, sum) = header.encode(1);
        assert_eq!(Header::decode(&bytes, 1), Ok((header, sum)));
        header.first_seq += 1;
        let (bytes, _) = header.encode(1);
        assert_eq!(Header::decode(&bytes, 1), Err(Corruption::Content));
    }

    #[test]
    fn an_absurd_length_is_refused_even_with_a_good_checksum() {
        let (mut header, _) = sample();
        header.count = u32::MAX;
        let (bytes, _) = header.encode(1);
        assert_eq!(Header::decode(&bytes, 1), Err(Corruption::Content));
    }
}
