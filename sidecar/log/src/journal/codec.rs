//! Bytes of journal and snapshot files: the file header and the batch around operations.
//!
//! Pure, and safe on any input: nothing is allocated by a length that was read, and nothing is
//! believed before its checksum. The byte tables are in FORMAT.md.

use crc32c::{crc32c, crc32c_append};

use super::ops;
use crate::error::{Corruption, LogError};
use crate::ids::VolumeId;
use crate::state::Op;

/// Bytes of a file header: a sector of its own, never written again.
pub(super) const FILE_HEADER: usize = 512;
/// Bytes of a batch header.
pub(super) const BATCH_HEADER: usize = 40;
/// Batches start at multiples of this.
pub(super) const ALIGNMENT: usize = 8;
/// Largest body of a batch, in bytes.
const MAX_BODY: usize = 8 << 20;
/// Version of the format that this code writes. It reads every minor version of its major one.
pub(super) const VERSION: (u16, u16) = (1, 0);
const BATCH_MAGIC: u32 = u32::from_le_bytes(*b"LBjb");

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Journal,
    Snapshot,
}

impl Kind {
    const fn magic(self) -> [u8; 8] {
        match self {
            Self::Journal => *b"LBjournl",
            Self::Snapshot => *b"LBsnapsh",
        }
    }
}

/// The place after a batch: how many batches a file has so far, and the checksum of the last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) batches: u64,
    pub(super) chain: u32,
}

/// The first sector of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) kind: Kind,
    pub(super) volume: VolumeId,
    /// The number in the file's name.
    pub(super) number: u64,
    /// Makes this file's batches valid in no other.
    pub(super) salt: u64,
    /// Where the journal file before this one ended; zeros for the first one.
    pub(super) previous: Link,
}

/// Why a file header is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    Damaged,
    /// Intact, and of another major version.
    Version(u16, u16),
}

impl FileHeader {
    pub(super) fn encode(&self) -> [u8; FILE_HEADER] {
        let mut bytes = [0; FILE_HEADER];
        bytes[..8].copy_from_slice(&self.kind.magic());
        bytes[8..10].copy_from_slice(&VERSION.0.to_le_bytes());
        bytes[10..12].copy_from_slice(&VERSION.1.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.volume.0);
        bytes[32..40].copy_from_slice(&self.number.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.salt.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.previous.batches.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.previous.chain.to_le_bytes());
        let checksum = crc32c(&bytes[..FILE_HEADER - 4]);
        bytes[FILE_HEADER - 4..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of a file of this kind.
    pub(super) fn decode(file: &[u8], kind: Kind) -> Result<Self, HeaderError> {
        let read = || {
            let (fields, checksum) = file.get(..FILE_HEADER)?.split_at(FILE_HEADER - 4);
            let mut input = Input(fields);
            let intact = crc32c(fields) == u32::from_le_bytes(checksum.try_into().ok()?)
                && input.array()? == kind.magic();
            intact.then_some(input)
        };
        let mut input = read().ok_or(HeaderError::Damaged)?;
        let mut fields = || {
            let version = (input.u16()?, input.u16()?);
            input.u32()?;
            let volume = VolumeId(input.array()?);
            let (number, salt) = (input.u64()?, input.u64()?);
            let previous = Link { batches: input.u64()?, chain: input.u32()? };
            Some((version, Self { kind, volume, number, salt, previous }))
        };
        let (version, header) = fields().ok_or(HeaderError::Damaged)?;
        if version.0 != VERSION.0 {
            return Err(HeaderError::Version(version.0, version.1));
        }
        Ok(header)
    }

    /// The place of the first batch.
    pub(super) fn start(&self) -> Link {
        Link { batches: 0, chain: crc32c(&self.salt.to_le_bytes()) }
    }
}

/// A batch that was read and whose checksums match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batch<'a> {
    /// Its number in the file, from 0.
    pub(super) number: u64,
    /// Batches of the file that were known to be synced when this one was written.
    pub(super) synced: u64,
    /// Checksum of the batch before it.
    pub(super) chain: u32,
    /// The place after it.
    pub(super) next: Link,
    /// Its length in the file, in bytes.
    pub(super) len: usize,
    count: u32,
    body: &'a [u8],
}

impl Batch<'_> {
    /// Its operations; `None` if they make no sense.
    pub(super) fn ops(&self) -> Option<Vec<Op>> {
        ops::decode(self.body, self.count)
    }

    /// Whether it is the empty one that ends a snapshot.
    pub(super) fn is_end(&self) -> bool {
        self.count == 0
    }
}

/// Appends a batch with these operations to `out` and returns the place after it.
///
/// # Errors
/// `TooLarge`; what is then in `out` is of no use.
pub(super) fn encode_batch<'a>(
    out: &mut Vec<u8>,
    salt: u64,
    place: Link,
    synced: u64,
    ops: impl IntoIterator<Item = &'a Op>,
) -> Result<Link, LogError> {
    let start = out.len();
    out.resize(start + BATCH_HEADER, 0);
    let mut count = 0u32;
    for op in ops {
        ops::encode(out, op)?;
        count += 1;
    }
    let body = out.len() - start - BATCH_HEADER;
    let len = match u32::try_from(body) {
        Ok(len) if body <= MAX_BODY => len,
        _ => return Err(LogError::TooLarge { size: body as u64, limit: MAX_BODY as u64 }),
    };
    out.resize(start + BATCH_HEADER + body.next_multiple_of(ALIGNMENT), 0);
    let body = out.get(start + BATCH_HEADER..).unwrap_or_default();
    let mut header = [0; BATCH_HEADER];
    header[..4].copy_from_slice(&BATCH_MAGIC.to_le_bytes());
    header[8..12].copy_from_slice(&len.to_le_bytes());
    header[12..16].copy_from_slice(&count.to_le_bytes());
    header[16..24].copy_from_slice(&place.batches.to_le_bytes());
    header[24..32].copy_from_slice(&synced.to_le_bytes());
    header[32..36].copy_from_slice(&place.chain.to_le_bytes());
    header[36..].copy_from_slice(&crc32c(body).to_le_bytes());
    let checksum = header_checksum(salt, &header[8..]);
    header[4..8].copy_from_slice(&checksum.to_le_bytes());
    if let Some(place) = out.get_mut(start..start + BATCH_HEADER) {
        place.copy_from_slice(&header);
    }
    Ok(Link { batches: place.batches + 1, chain: checksum })
}

/// Reads the batch at the start of `bytes`.
pub(super) fn decode_batch(bytes: &[u8], salt: u64) -> Result<Batch<'_>, Corruption> {
    let (header, rest) = bytes.split_at_checked(BATCH_HEADER).ok_or(Corruption::Header)?;
    let mut input = Input(header);
    let mut fields = || {
        let (magic, checksum) = (input.u32()?, input.u32()?);
        if magic != BATCH_MAGIC || checksum != header_checksum(salt, input.0) {
            return None;
        }
        let (len, count) = (input.u32()? as usize, input.u32()?);
        let (number, synced) = (input.u64()?, input.u64()?);
        let (chain, body_checksum) = (input.u32()?, input.u32()?);
        let next = Link { batches: number.checked_add(1)?, chain: checksum };
        let len = len.checked_next_multiple_of(ALIGNMENT)?;
        Some((Batch { number, synced, chain, next, len, count, body: &[] }, body_checksum))
    };
    let (batch, body_checksum) = fields().ok_or(Corruption::Header)?;
    let body = rest.get(..batch.len).ok_or(Corruption::Truncated)?;
    if crc32c(body) != body_checksum {
        return Err(Corruption::Checksum);
    }
    Ok(Batch { len: BATCH_HEADER + batch.len, body, ..batch })
}

fn header_checksum(salt: u64, fields: &[u8]) -> u32 {
    crc32c_append(crc32c(&salt.to_le_bytes()), fields)
}

/// Little-endian fields off the front of a slice, each `None` when the slice is too short.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DeliveryId, StreamId};

    fn header() -> FileHeader {
        let previous = Link { batches: 3, chain: 9 };
        FileHeader { kind: Kind::Journal, volume: VolumeId([7; 16]), number: 4, salt: 5, previous }
    }

    #[test]
    fn a_file_header_reads_back_and_no_other_kind_does() {
        let bytes = header().encode();
        assert_eq!(FileHeader::decode(&bytes, Kind::Journal), Ok(header()));
        assert_eq!(FileHeader::decode(&bytes, Kind::Snapshot), Err(HeaderError::Damaged));
        assert_eq!(FileHeader::decode(&bytes[..511], Kind::Journal), Err(HeaderError::Damaged));
    }

    #[test]
    fn any_flipped_bit_of_a_file_header_is_found() {
        for bit in 0..FILE_HEADER * 8 {
            let mut bytes = header().encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FileHeader::decode(&bytes, Kind::Journal), Err(HeaderError::Damaged));
        }
    }

    #[test]
    fn an_intact_header_of_another_major_version_is_told_apart() {
        let mut bytes = header().encode();
        bytes[8] = 2;
        let checksum = crc32c(&bytes[..508]).to_le_bytes();
        bytes[508..].copy_from_slice(&checksum);
        assert_eq!(FileHeader::decode(&bytes, Kind::Journal), Err(HeaderError::Version(2, 0)));
    }

    #[test]
    fn a_batch_reads_back_under_its_salt_only_and_any_flipped_bit_is_found() {
        let (stream, delivery) = (StreamId([2; 16]), DeliveryId(3));
        let ops = [Op::Settled { stream, delivery, range: 4..9 }, Op::StreamRemoved { stream }];
        let mut bytes = Vec::new();
        let next = encode_batch(&mut bytes, 5, header().start(), 1, &ops).unwrap();
        assert_eq!(bytes.len() % ALIGNMENT, 0);
        let batch = decode_batch(&bytes, 5).unwrap();
        assert_eq!((batch.next, batch.len, batch.synced), (next, bytes.len(), 1));
        assert_eq!(batch.ops().unwrap(), ops);
        assert!(decode_batch(&bytes, 6).is_err());
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_batch(&bytes, 5).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for len in 0..bytes.len() {
            assert!(decode_batch(&bytes[..len], 5).is_err(), "length {len}");
        }
    }
}
