//! Tells of most keys that a run does not hold them, without a look at the disk (a Bloom filter).
//! Pure.

use super::Key;

/// Bits for each key: with [`PROBES`] one key in some 2,000 is looked for in vain.
const BITS: usize = 16;
const PROBES: u64 = 8;

/// What a set of keys may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    bits: Vec<u8>,
}

impl Filter {
    /// An empty filter for this many keys.
    pub(super) fn new(keys: usize) -> Self {
        Self { bits: vec![0; (keys * BITS).div_ceil(8).max(1)] }
    }

    /// The filter that [`Self::into_bytes`] took apart; `None` when it is empty.
    pub(super) fn from_bytes(bits: Vec<u8>) -> Option<Self> {
        (!bits.is_empty()).then_some(Self { bits })
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bits
    }

    pub(super) fn insert(&mut self, key: &Key) {
        for bit in self.probes(key) {
            if let Some(byte) = self.bits.get_mut(bit / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
    }

    /// `false` only when the key was never put in.
    pub(super) fn may_hold(&self, key: &Key) -> bool {
        self.probes(key)
            .all(|bit| self.bits.get(bit / 8).is_some_and(|byte| byte & (1 << (bit % 8)) != 0))
    }

    /// A key is a hash already: its halves step through the bits.
    fn probes(&self, key: &Key) -> impl Iterator<Item = usize> + use<> {
        let [start, step] = [0, 8].map(|at| {
            let half = key.get(at..).and_then(|half| half.first_chunk());
            u64::from_le_bytes(*half.unwrap_or(&[0; 8]))
        });
        let bits = self.bits.len() as u64 * 8;
        (0..PROBES).filter_map(move |probe| {
            let at = start.wrapping_add(probe.wrapping_mul(step | 1));
            usize::try_from(at % bits).ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(of: u64) -> Key {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(of.to_le_bytes());
        std::array::from_fn(|at| digest[at])
    }

    #[test]
    fn what_was_put_in_is_found_and_little_else() {
        let mut filter = Filter::new(10_000);
        (0..10_000).for_each(|of| filter.insert(&key(of)));
        assert!((0..10_000).all(|of| filter.may_hold(&key(of))));
        let wrong = (10_000..110_000).filter(|&of| filter.may_hold(&key(of))).count();
        assert!(wrong < 150, "{wrong} of 100,000");
        let again = Filter::from_bytes(filter.clone().into_bytes());
        assert_eq!(again, Some(filter));
    }
}
