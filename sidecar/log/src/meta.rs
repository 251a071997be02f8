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
        let mut out = new(VOLUME_MAGIC);
        out[16..32].copy_from_slice(&self.id.0);
        out[32..40].copy_from_slice(&self.epoch.to_le_bytes());
        seal(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Rejected> {
        check(VOLUME_MAGIC, bytes)?;
        Ok(Self { id: VolumeId(array_at(bytes, 16)), epoch: u64_at(bytes, 32) })
    }
}

impl StreamMeta {
    pub(crate) fn encode(&self) -> [u8; LEN] {
        let mut out = new(STREAM_MAGIC);
        out[16..32].copy_from_slice(&self.id.0);
        out[32..48].copy_from_slice(&self.dead_letters.0);
        seal(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Rejected> {
        check(STREAM_MAGIC, bytes)?;
        let dead_letters = StreamId(array_at(bytes, 32));
        Ok(Self { id: StreamId(array_at(bytes, 16)), dead_letters })
    }
}

fn new(magic: [u8; 8]) -> [u8; LEN] {
    let mut out = [0; LEN];
    out[..8].copy_from_slice(&magic);
    out[8..10].copy_from_slice(&VERSION.to_le_bytes());
    out
}

fn seal(mut out: [u8; LEN]) -> [u8; LEN] {
    let sum = salted_sum(0, &out[..SUM_AT]);
    out[SUM_AT..].copy_from_slice(&sum.to_le_bytes());
    out
}

fn check(magic: [u8; 8], bytes: &[u8]) -> Result<(), Rejected> {
    let bytes: &[u8; LEN] = bytes.try_into().map_err(|_| Rejected::Damaged)?;
    let sum = salted_sum(0, &bytes[..SUM_AT]);
    if !bytes.starts_with(&magic) || sum != u32_at(bytes, SUM_AT) {
        return Err(Rejected::Damaged);
    }
    match u16_at(bytes, 8) {
        VERSION => Ok(()),
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
