//! The two small files that say what a data directory and a stream's directory are. Pure.

use crate::batch::{array_at, salted_sum, u16_at, u32_at, u64_at};
use crate::ids::{StreamId, VolumeId};

/// Format written by this version.
const VERSION: u16 = 1;
const VOLUME_MAGIC: [u8; 8] = *b"LBVOLUME";
const STREAM_MAGIC: [u8; 8] = *b"LBSTREAM";
/// Length of either file.
pub(crate) const LEN: usize = 64;
const SUM_AT: usize = 60;

/// Why a file is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// It is not what was written.
    Damaged,
    /// It is whole, but of this format version, which this program cannot read.
    Version(u16),
}

/// `volume.meta`: one data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VolumeMeta {
    pub(crate) id: VolumeId,
    /// Raised each time the directory is opened for writing, and synced before anything else.
    pub(crate) epoch: u64,
}

/// `stream.meta`: one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamMeta {
    pub(crate) id: StreamId,
    pub(crate) dead_letters: StreamId,
}

impl VolumeMeta {
    pub(crate) fn encode(&self) -> [u8; LEN] {
        let mut fields = [0; 24];
        fields[..16].copy_from_slice(&self.id.0);
        fields[16..].copy_from_slice(&self.epoch.to_le_bytes());
        seal(VOLUME_MAGIC, &fields)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Rejected> {
        let fields = open(VOLUME_MAGIC, bytes)?;
        Ok(Self { id: VolumeId(array_at(fields, 0)), epoch: u64_at(fields, 16) })
    }
}

impl StreamMeta {
    pub(crate) fn encode(&self) -> [u8; LEN] {
        let mut fields = [0; 32];
        fields[..16].copy_from_slice(&self.id.0);
        fields[16..].copy_from_slice(&self.dead_letters.0);
        seal(STREAM_MAGIC, &fields)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Rejected> {
        let fields = open(STREAM_MAGIC, bytes)?;
        let dead_letters = StreamId(array_at(fields, 16));
        Ok(Self { id: StreamId(array_at(fields, 0)), dead_letters })
    }
}

fn seal(magic: [u8; 8], fields: &[u8]) -> [u8; LEN] {
    let mut out = [0; LEN];
    out[..8].copy_from_slice(&magic);
    out[8..10].copy_from_slice(&VERSION.to_le_bytes());
    out[16..16 + fields.len()].copy_from_slice(fields);
    let sum = salted_sum(0, &out[..SUM_AT]);
    out[SUM_AT..].copy_from_slice(&sum.to_le_bytes());
    out
}

fn open(magic: [u8; 8], bytes: &[u8]) -> Result<&[u8], Rejected> {
    let whole = bytes.len() == LEN
        && bytes.starts_with(&magic)
        && salted_sum(0, &bytes[..SUM_AT]) == u32_at(bytes, SUM_AT);
    if !whole {
        return Err(Rejected::Damaged);
    }
    match u16_at(bytes, 8) {
        VERSION => Ok(&bytes[16..]),
        other => Err(Rejected::Version(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back_as_they_were_and_every_flipped_bit_is_noticed() {
        let volume = VolumeMeta { id: VolumeId([1; 16]), epoch: 2 };
        assert_eq!(VolumeMeta::decode(&volume.encode()), Ok(volume));
        let stream = StreamMeta { id: StreamId([3; 16]), dead_letters: StreamId([4; 16]) };
        assert_eq!(StreamMeta::decode(&stream.encode()), Ok(stream));
        assert_eq!(VolumeMeta::decode(&stream.encode()), Err(Rejected::Damaged));
        for bit in 0..LEN * 8 {
            let mut damaged = volume.encode();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(VolumeMeta::decode(&damaged), Err(Rejected::Damaged), "bit {bit}");
        }
    }
}
