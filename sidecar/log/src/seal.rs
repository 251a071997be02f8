//! The batch that closes a segment. It stands at the end of the file, so that a start reads one
//! small piece of each sealed segment and no more. Pure.

use crate::batch::{ALIGNMENT, HEADER_LEN, Header, Kind, array_at, u64_at};

const PAYLOAD_LEN_FIELD: u32 = 16;
const PAYLOAD_LEN: usize = PAYLOAD_LEN_FIELD as usize;
/// Bytes of the whole seal on disk.
pub(crate) const LEN: usize = HEADER_LEN + PAYLOAD_LEN.next_multiple_of(ALIGNMENT);

/// What a seal says of its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seal {
    /// Seq after the segment's last record.
    pub(crate) end_seq: u64,
    /// Unix time of the last commit in nanoseconds.
    pub(crate) time: u64,
    /// Checksum of the last batch header before the seal.
    pub(crate) chain: u32,
    /// Unix time of the first commit in nanoseconds.
    pub(crate) first_time: u64,
    /// Byte position of the seal, which is the segment's length less [`LEN`].
    pub(crate) position: u64,
}

impl Seal {
    /// The seal's bytes and its header's checksum, which the next segment's header repeats.
    pub(crate) fn encode(&self, salt: u64) -> (Vec<u8>, u32) {
        let mut payload = [0; PAYLOAD_LEN];
        payload[..8].copy_from_slice(&self.first_time.to_le_bytes());
        payload[8..].copy_from_slice(&self.position.to_le_bytes());
        let header = Header {
            kind: Kind::Seal,
            count: 0,
            first_seq: self.end_seq,
            time: self.time,
            chain: self.chain,
            table_sum: crc32c::crc32c(&payload),
            payload_len: PAYLOAD_LEN_FIELD,
            durable_end: self.end_seq,
            ids_len: 0,
            ids_sum: 0,
        };
        let (header, sum) = header.encode(salt);
        ([&header[..], &payload].concat(), sum)
    }

    /// The seal in the last [`LEN`] bytes of a segment of `file_len` bytes and its checksum;
    /// `None` when there is none.
    pub(crate) fn decode(bytes: &[u8], salt: u64, file_len: u64) -> Option<(Self, u32)> {
        let (header, sum) = Header::decode(&array_at(bytes, 0), salt).ok()?;
        let payload = bytes.get(HEADER_LEN..LEN)?;
        let seal = Self {
            end_seq: header.first_seq,
            time: header.time,
            chain: header.chain,
            first_time: u64_at(payload, 0),
            position: u64_at(payload, 8),
        };
        let whole = header.kind == Kind::Seal
            && header.payload_len == PAYLOAD_LEN_FIELD
            && header.ids_len == 0
            && crc32c::crc32c(payload) == header.table_sum
            && seal.position.checked_add(LEN as u64) == Some(file_len);
        whole.then_some((seal, sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_seal_at_the_end_of_its_own_segment_counts() {
        let seal = Seal { end_seq: 1, time: 2, chain: 3, first_time: 4, position: 5_000 };
        let (bytes, sum) = seal.encode(9);
        let len = 5_000 + LEN as u64;
        assert_eq!(bytes.len(), LEN);
        assert_eq!(Seal::decode(&bytes, 9, len), Some((seal, sum)));
        assert_eq!(Seal::decode(&bytes, 8, len), None);
        assert_eq!(Seal::decode(&bytes, 9, len + 8), None);
        let (beyond, _) = Seal { position: u64::MAX, ..seal }.encode(9);
        assert_eq!(Seal::decode(&beyond, 9, len), None);
        for bit in 0..LEN * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Seal::decode(&damaged, 9, len), None, "bit {bit}");
        }
    }
}
