//! What a segment file says of itself: its header block, its seal, its name. Pure.

use std::path::{Path, PathBuf};

use crate::batch::{array_at, salted_sum, u16_at, u32_at, u64_at};
use crate::error::{Corruption, LogError};
use crate::ids::StreamId;

const HEADER_LEN_FIELD: u32 = 4096;
/// The header takes one block, so that the first batch starts aligned to it.
pub(crate) const HEADER_LEN: usize = HEADER_LEN_FIELD as usize;
/// Format written by this version.
pub(crate) const MAJOR: u16 = 1;
/// Minor versions add fields that an older reader may ignore.
pub(crate) const MINOR: u16 = 1;

const MAGIC: [u8; 8] = *b"LBSEGMNT";
/// Feature bit: the segment was made anew after damage. Seqs may be missing from it, and the segment
/// after it may still be chained to what it replaces.
const MENDED: u32 = 1;
/// Feature bit: batches may hold ids behind their payloads.
const HAS_IDS: u32 = 2;
/// Feature bits that this version knows.
pub(crate) const FEATURES: u32 = MENDED | HAS_IDS;
/// Where the salt stands.
pub(crate) const SALT_AT: usize = 80;
/// Where the header's checksum stands; the rest of the block is zero.
const SUM_AT: usize = 96;

/// Why a header block is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// It is not what was written.
    Damaged,
    /// It is whole, but of a format that this version cannot read.
    Version {
        /// Major format version found.
        major: u16,
        /// Feature bits found.
        features: u32,
    },
}

/// The identity of one segment and its link to the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The log that the segment belongs to.
    pub(crate) log: StreamId,
    /// Counts a log's segments from 0 without gaps, so that a lost one is noticed.
    pub(crate) number: u64,
    /// Seq of the first record it will hold.
    pub(crate) base_seq: u64,
    /// Checksum of the last batch header of the segment before; 0 in the first one.
    pub(crate) chain: u32,
    /// How many jumps (of [`crate::sync_mode::JUMP`] seqs each) lie between the segment before and
    /// this one.
    pub(crate) jumps: u32,
    /// Unix time of creation in nanoseconds.
    pub(crate) created: u64,
    /// Epoch of the writer that made it.
    pub(crate) epoch: u64,
    /// Whether batches may hold ids.
    pub(crate) keeps_ids: bool,
    /// Random; seeds the checksum of every batch header in the file.
    pub(crate) salt: u64,
    /// Bytes set aside for the file before it got its name. It is shorter only once it is sealed.
    pub(crate) len: u64,
    /// Whether it was made anew after damage: seqs may be missing from it.
    pub(crate) mended: bool,
}

impl Header {
    /// The header block and its checksum, which is the first batch's `chain`.
    pub(crate) fn encode(&self) -> (Vec<u8>, u32) {
        let mut out = [0; HEADER_LEN];
        out[..8].copy_from_slice(&MAGIC);
        out[8..10].copy_from_slice(&MAJOR.to_le_bytes());
        out[10..12].copy_from_slice(&MINOR.to_le_bytes());
        let feature = |set: bool, bit: u32| if set { bit } else { 0 };
        let features = feature(self.mended, MENDED) | feature(self.keeps_ids, HAS_IDS);
        out[12..16].copy_from_slice(&features.to_le_bytes());
        out[16..20].copy_from_slice(&HEADER_LEN_FIELD.to_le_bytes());
        out[24..40].copy_from_slice(&self.log.0);
        out[40..48].copy_from_slice(&self.number.to_le_bytes());
        out[48..56].copy_from_slice(&self.base_seq.to_le_bytes());
        out[56..60].copy_from_slice(&self.chain.to_le_bytes());
        out[60..64].copy_from_slice(&self.jumps.to_le_bytes());
        out[64..72].copy_from_slice(&self.created.to_le_bytes());
        out[72..80].copy_from_slice(&self.epoch.to_le_bytes());
        out[SALT_AT..SALT_AT + 8].copy_from_slice(&self.salt.to_le_bytes());
        out[88..96].copy_from_slice(&self.len.to_le_bytes());
        let sum = header_sum(&out);
        out[SUM_AT..SUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
        (out.into(), sum)
    }

    /// The fields of a header block and its checksum, or what is wrong with it.
    pub(crate) fn decode(block: &[u8]) -> Result<(Self, u32), Rejected> {
        let block: &[u8; HEADER_LEN] = block.first_chunk().ok_or(Rejected::Damaged)?;
        if !block.starts_with(&MAGIC) {
            return Err(Rejected::Damaged);
        }
        let sum = u32_at(block, SUM_AT);
        if header_sum(block) != sum || block[SUM_AT + 4..].iter().any(|&byte| byte != 0) {
            return Err(Rejected::Damaged);
        }
        let (major, features) = (u16_at(block, 8), u32_at(block, 12));
        if major != MAJOR || features & !FEATURES != 0 {
            return Err(Rejected::Version { major, features });
        }
        if u32_at(block, 16) != HEADER_LEN_FIELD {
            return Err(Rejected::Damaged);
        }
        let header = Self {
            log: StreamId(array_at(block, 24)),
            number: u64_at(block, 40),
            base_seq: u64_at(block, 48),
            chain: u32_at(block, 56),
            jumps: u32_at(block, 60),
            created: u64_at(block, 64),
            epoch: u64_at(block, 72),
            keeps_ids: features & HAS_IDS != 0,
            salt: u64_at(block, SALT_AT),
            len: u64_at(block, 88),
            mended: features & MENDED != 0,
        };
        Ok((header, sum))
    }
}

fn header_sum(block: &[u8; HEADER_LEN]) -> u32 {
    salted_sum(0, &block[..SUM_AT])
}

/// The header of the segment at `path`, from its first bytes, and its checksum.
///
/// # Errors
/// `Corrupt`, or `Version` for one that this program does not read.
pub(crate) fn decode(path: &Path, block: &[u8]) -> Result<(Header, u32), LogError> {
    Header::decode(block).map_err(|rejected| match rejected {
        Rejected::Damaged => {
            let kind = Corruption::FileHeader;
            LogError::Corrupt { path: path.to_owned(), position: 0, kind }
        }
        Rejected::Version { major, features } => LogError::Version {
            path: path.to_owned(),
            reason: format!(
                "segment format {major}, features {features:#x}; \
                 this version reads format {MAJOR}, features {FEATURES:#x}"
            ),
        },
    })
}

/// How the names end of files that are not complete. `.log.tmp`, and those of [`crate::vfs::replace`].
pub(crate) const TEMPORARY: &str = ".tmp";

/// Where the segment that will be called `path` is until it is complete.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    path.with_extension("log.tmp")
}

/// Name of the segment whose first record is `base_seq`.
pub(crate) fn file_name(base_seq: u64) -> String {
    format!("{base_seq:020}.log")
}

/// Name of its index.
pub(crate) fn index_name(base_seq: u64) -> String {
    format!("{base_seq:020}.idx")
}

/// The base seq that a segment's name tells; `None` for any other name.
pub(crate) fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Header {
        Header {
            log: StreamId([3; 16]),
            number: 4,
            base_seq: 5,
            chain: 6,
            jumps: 11,
            created: 7,
            epoch: 8,
            keeps_ids: true,
            salt: 9,
            len: 10,
            mended: false,
        }
    }

    #[test]
    fn a_header_comes_back_as_it_was() {
        let (block, sum) = sample().encode();
        assert_eq!(Header::decode(&block), Ok((sample(), sum)));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let (block, _) = sample().encode();
        for bit in 0..HEADER_LEN * 8 {
            let mut damaged = block.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_major_version_is_named_not_called_damage() {
        let rejected = Rejected::Version { major: 9, features: HAS_IDS };
        assert_eq!(resealed(sample(), 8, 9), Err(rejected));
    }

    #[test]
    fn a_feature_that_is_not_known_is_named_too() {
        let mended = Header { mended: true, ..sample() };
        let known = MENDED | HAS_IDS;
        assert!(resealed(mended, 12, 3).is_ok_and(|(header, _)| header.mended));
        let rejected = Rejected::Version { major: MAJOR, features: known | 4 };
        assert_eq!(resealed(mended, 12, 7), Err(rejected));
    }

    /// What becomes of a header with another byte at `at`, and the checksum that goes with it.
    fn resealed(header: Header, at: usize, byte: u8) -> Result<(Header, u32), Rejected> {
        let (mut block, _) = header.encode();
        block[at] = byte;
        let sum = header_sum(block.first_chunk().unwrap());
        block[SUM_AT..SUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
        Header::decode(&block)
    }
    #[test]
    fn only_segment_names_parse() {
        assert_eq!(parse_file_name(&file_name(12)), Some(12));
        for other in ["12.log", "meta", "00000000000000000012.idx", "0000000000000000001x.log"] {
            assert_eq!(parse_file_name(other), None, "{other}");
        }
    }
}
