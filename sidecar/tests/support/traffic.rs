//! A long run of messages from a seed, the same for whoever makes it: skewed sizes, every boundary
//! of the wire and of the buffers, several frames, empty frames.

use std::ops::Range;

use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

/// Sizes at which the wire form or a buffer changes.
const BOUNDARIES: [usize; 10] = [0, 1, 254, 255, 256, 257, 65_535, 65_536, 65_537, 1 << 20];
/// Bytes that frames are cut from.
const BLOCK: usize = 3 << 20;

/// The generator.
pub(crate) struct Traffic {
    random: SmallRng,
    block: Vec<u8>,
    frames: Vec<Range<usize>>,
    made: usize,
}

impl Traffic {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut block = vec![0; BLOCK];
        random.fill_bytes(&mut block);
        Self { random, block, frames: Vec::new(), made: 0 }
    }

    /// The frames of the next message.
    pub(crate) fn next(&mut self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.frames.clear();
        let boundary = self.made.is_multiple_of(4096).then_some(self.made / 4096);
        self.made += 1;
        let count = match self.random.random_range(0..100) {
            0..80 => 1,
            80..98 => self.random.random_range(2..5),
            _ => self.random.random_range(5..20),
        };
        for at in 0..count {
            let len = match boundary {
                Some(turn) if at == 0 => BOUNDARIES[turn % BOUNDARIES.len()],
                _ => self.len(),
            };
            let start = self.random.random_range(0..=BLOCK - len);
            self.frames.push(start..start + len);
        }
        self.frames.iter().map(|frame| &self.block[frame.clone()])
    }

    /// Mostly small.
    fn len(&mut self) -> usize {
        match self.random.random_range(0..1000) {
            0..60 => 0,
            60..700 => self.random.random_range(1..100),
            700..990 => self.random.random_range(100..600),
            _ => self.random.random_range(600..6000),
        }
    }
}
