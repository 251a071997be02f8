//! A run: ids of one stretch of time, sorted into small buckets, as they lie on disk. Pure.
//!
//! A run is written once and never changed, and each part of it says whose it is. So what a store
//! has lost, mixed up or let rot is noticed when it is read, not believed.

use std::collections::HashMap;
use std::ops::Range;

use super::copies;
use super::filter::Filter;
use super::{Key, Known};
use crate::index::Doubt;

/// Ids in a bucket, about: what one look-up reads.
const BUCKET: usize = 32;
const HEAD: usize = 48;

/// What is known of a run without reading its buckets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The copies that it was made of: seqs of their log.
    pub(super) copies: Range<u64>,
    /// Unix time in nanoseconds of the commit of the last of them, which tells them from others
    /// under the same seqs.
    pub(super) witness: u64,
    /// Unix time of its newest record in nanoseconds.
    pub(super) newest: u64,
    /// Ids in it.
    pub(super) count: u64,
    pub(super) filter: Filter,
}

impl Run {
    /// A run of these ids and its buckets.
    pub(super) fn new(
        ids: &HashMap<Key, Known>,
        copies: Range<u64>,
        witness: u64,
    ) -> (Self, Vec<Vec<u8>>) {
        let mut filter = Filter::new(ids.len());
        let count = ids.len().div_ceil(BUCKET).clamp(1, usize::from(u16::MAX));
        let mut buckets = vec![Vec::new(); count];
        for (key, known) in ids {
            filter.insert(key);
            if let Some(bucket) = buckets.get_mut(bucket_of(key, count)) {
                copies::append(bucket, &(*key, *known));
            }
        }
        let newest = ids.values().map(|known| known.time).max().unwrap_or(0);
        let run = Self { copies, witness, newest, count: ids.len() as u64, filter };
        let seal = |(at, bucket)| sealed(run.salt(at), bucket);
        let buckets = buckets.into_iter().enumerate().map(seal).collect();
        (run, buckets)
    }

    /// The bucket that holds `key` if the run does.
    pub(super) fn bucket_of(&self, key: &Key) -> usize {
        let ids = usize::try_from(self.count).unwrap_or(usize::MAX);
        bucket_of(key, ids.div_ceil(BUCKET).clamp(1, usize::from(u16::MAX)))
    }

    /// What is known by `key`, from the bucket `at`.
    pub(super) fn find(&self, key: &Key, at: usize, bucket: &[u8]) -> Result<Option<Known>, Doubt> {
        let ids = opened(self.salt(at), bucket)?;
        Ok(copies::decode(ids).find(|(found, _)| found == key).map(|(_, known)| known))
    }

    /// Everything but the buckets, for a later start.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let Range { start, end } = self.copies;
        for number in [start, end, self.witness, self.newest, self.count, 0] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.filter.clone().into_bytes());
        sealed(0, out)
    }

    /// The run that [`Self::encode`] wrote.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Doubt> {
        let bytes = opened(0, bytes)?;
        let number = |at: usize| {
            let field = bytes.get(at * 8..)?.first_chunk()?;
            Some(u64::from_le_bytes(*field))
        };
        let whole = || {
            Some(Self {
                copies: number(0)?..number(1)?,
                witness: number(2)?,
                newest: number(3)?,
                count: number(4)?,
                filter: Filter::from_bytes(bytes.get(HEAD..)?.to_vec())?,
            })
        };
        whole().ok_or(Doubt::Wrong("a run on disk is cut off"))
    }

    /// What makes a bucket this run's, and that one.
    fn salt(&self, bucket: usize) -> u64 {
        self.copies.start.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.witness ^ bucket as u64
    }
}

/// Keys are evenly spread, so their first two bytes tell.
fn bucket_of(key: &Key, buckets: usize) -> usize {
    let [high, low, ..] = *key;
    (usize::from(u16::from_be_bytes([high, low])) * buckets) >> 16
}

/// Bytes with their checksum behind them.
fn sealed(salt: u64, mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), &bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// The bytes before their checksum, if it is right.
fn opened(salt: u64, sealed: &[u8]) -> Result<&[u8], Doubt> {
    let wrong = Doubt::Wrong("what is on disk is not what was put there");
    let Some((bytes, sum)) = sealed.split_last_chunk() else { return Err(wrong) };
    let expected = crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), bytes);
    if u32::from_le_bytes(*sum) == expected { Ok(bytes) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: u64) -> HashMap<Key, Known> {
        let id = |of: u64| {
            let key = u128::from(of)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
                .to_be_bytes();
            (
                key,
                Known { content: [u8::try_from(of % 251).unwrap(); 16], seq: of, time: 1_000 + of },
            )
        };
        (1..=count).map(id).collect()
    }

    #[test]
    fn every_id_is_in_its_bucket_and_small_runs_work_too() {
        for count in [1, 31, 33, 5_000] {
            let ids = ids(count);
            let (run, buckets) = Run::new(&ids, 3..9, 77);
            assert_eq!((run.count, run.newest), (count, 1_000 + count));
            let run = Run::decode(&run.encode()).unwrap();
            for (key, known) in &ids {
                let at = run.bucket_of(key);
                assert_eq!(run.find(key, at, &buckets[at]).unwrap(), Some(*known));
            }
            let at = run.bucket_of(&[7; 16]);
            assert_eq!(run.find(&[7; 16], at, &buckets[at]).unwrap(), None);
        }
    }

    #[test]
    fn another_bucket_another_run_or_a_flipped_bit_is_noticed() {
        let ids = ids(500);
        let (run, mut buckets) = Run::new(&ids, 3..9, 77);
        let (other, _) = Run::new(&ids, 3..9, 78);
        let key = ids.keys().next().unwrap();
        assert!(run.find(key, 0, &buckets[1]).is_err());
        assert!(other.find(key, 0, &buckets[0]).is_err());
        for bit in 0..buckets[0].len() * 8 {
            buckets[0][bit / 8] ^= 1 << (bit % 8);
            assert!(run.find(key, 0, &buckets[0]).is_err(), "bit {bit}");
            buckets[0][bit / 8] ^= 1 << (bit % 8);
        }
        let encoded = run.encode();
        for len in 0..encoded.len() {
            assert!(Run::decode(&encoded[..len]).is_err(), "{len} bytes");
        }
    }
}
