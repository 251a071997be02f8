//! One simulated file: what is durable, what the page cache shows, and the operations between.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;
use rand::rngs::SmallRng;

use super::content::{Content, PAGE};

/// Sector sizes at which a write may tear: of a disk, and of a page cache or newer device.
const SECTORS: [u64; 2] = [512, 4096];

/// A change to a file that no sync has covered yet.
#[derive(Debug, Clone)]
enum DataOp {
    Write { position: u64, bytes: Arc<[u8]> },
    SetLen(u64),
}

/// A file, with or without a name.
#[derive(Debug, Clone, Default)]
pub(super) struct Inode {
    durable: Content,
    current: Content,
    pending: Vec<DataOp>,
    /// The cache shows bytes that a failed sync gave up: `current` is more than
    /// `durable` with `pending`.
    diverged: bool,
    /// Bytes reserved from the start of the file.
    reserved: u64,
}

impl Inode {
    /// A file whose bytes are durable.
    pub(super) fn durable(content: Content) -> Self {
        Self { durable: content.clone(), current: content, ..Self::default() }
    }

    pub(super) fn current(&self) -> &Content {
        &self.current
    }

    pub(super) fn write(&mut self, bytes: &[u8], position: u64) {
        if !bytes.is_empty() {
            self.current.write(bytes, position);
            self.pending.push(DataOp::Write { position, bytes: bytes.into() });
        }
    }

    pub(super) fn truncate(&mut self, len: u64) {
        self.reserved = self.reserved.min(len);
        self.current.set_len(len);
        self.pending.push(DataOp::SetLen(len));
    }

    pub(super) fn allocate(&mut self, len: u64) {
        self.reserved = self.reserved.max(len);
        if len > self.current.len() {
            self.current.set_len(len);
            self.pending.push(DataOp::SetLen(len));
        }
    }

    /// Space taken, in bytes of whole pages.
    pub(super) fn space(&self) -> u64 {
        let reserved = self.reserved.div_ceil(PAGE);
        (reserved + self.current.pages_from(reserved)) * PAGE
    }

    /// Space that a write would take in addition.
    pub(super) fn space_to_write(&self, position: u64, len: u64) -> u64 {
        self.current.pages_missing(position, len, self.reserved.div_ceil(PAGE)) * PAGE
    }

    /// Space that a reservation would take in addition.
    pub(super) fn space_to_allocate(&self, len: u64) -> u64 {
        let reserved = len.max(self.reserved).div_ceil(PAGE);
        ((reserved + self.current.pages_from(reserved)) * PAGE).saturating_sub(self.space())
    }

    pub(super) fn sync(&mut self) {
        if self.diverged {
            for op in self.pending.drain(..) {
                op.apply(&mut self.durable);
            }
        } else {
            self.durable = self.current.clone();
            self.pending.clear();
        }
    }

    /// A sync that fails: some of what was pending is on the disk, the rest never will be, and
    /// the cache takes all of it for clean.
    pub(super) fn fail_sync(&mut self, rng: &mut SmallRng) {
        self.durable = self.after_power_cut(rng);
        self.pending.clear();
        self.diverged = true;
    }

    /// The kernel drops clean pages: reads show what the disk has.
    pub(super) fn forget(&mut self) {
        if self.diverged {
            self.current = self.durable.clone();
            for op in &self.pending {
                op.apply(&mut self.current);
            }
            self.diverged = false;
        }
    }

    pub(super) fn flip(&mut self, position: u64, bit: u8) {
        self.durable.flip(position, bit);
        self.current.flip(position, bit);
    }

    /// What the disk may hold after a power cut.
    ///
    /// Each sector shows what it held at some moment since the last sync, independently of the
    /// others. So does the length, in the order of its changes. What lies below the length and
    /// was never written reads as zeros.
    pub(super) fn after_power_cut(&self, rng: &mut SmallRng) -> Content {
        if self.pending.is_empty() {
            return self.durable.clone();
        }
        let mut moments = Moments::new(self.pending.len(), rng);
        let length_moment = moments.pick(rng);
        let sector = SECTORS[rng.random_range(0..SECTORS.len())];
        let mut of_sector = BTreeMap::new();
        let mut content = self.durable.clone();
        let mut len = content.len();
        for (index, op) in self.pending.iter().enumerate() {
            match op {
                DataOp::SetLen(to) => {
                    if index < length_moment {
                        content.set_len(*to);
                        len = *to;
                    }
                }
                DataOp::Write { position, bytes } => {
                    for (at, piece) in sectors(*position, bytes, sector) {
                        let moment =
                            of_sector.entry(at / sector).or_insert_with(|| moments.pick(rng));
                        if index < *moment {
                            content.write(piece, at);
                        }
                    }
                    if index < length_moment {
                        len = len.max(position + bytes.len() as u64);
                    }
                }
            }
        }
        content.set_len(len);
        content
    }
}

impl DataOp {
    fn apply(&self, content: &mut Content) {
        match self {
            Self::Write { position, bytes } => content.write(bytes, *position),
            Self::SetLen(len) => content.set_len(*len),
        }
    }
}

/// Which moment a part of a file shows after a power cut: 0 is the last sync, `count` the cut.
///
/// Fully random moments alone would almost never keep or lose a long write as a whole, so a cut
/// is drawn from a few styles first.
enum Moments {
    /// Every part as of one moment: nothing, all, or a prefix of the operations.
    One(usize),
    /// Each part the newest with this chance, else as of any moment.
    Mixed { count: usize, newest: f64 },
}

impl Moments {
    fn new(count: usize, rng: &mut SmallRng) -> Self {
        match rng.random_range(0..8) {
            0 => Self::One(0),
            1 => Self::One(count),
            2 => Self::One(rng.random_range(0..=count)),
            3 | 4 => Self::Mixed { count, newest: 0.9 },
            5 | 6 => Self::Mixed { count, newest: 0.5 },
            _ => Self::Mixed { count, newest: 0.0 },
        }
    }

    fn pick(&mut self, rng: &mut SmallRng) -> usize {
        match *self {
            Self::One(moment) => moment,
            Self::Mixed { count, newest } if rng.random_bool(newest) => count,
            Self::Mixed { count, .. } => rng.random_range(0..=count),
        }
    }
}

/// A write in pieces that do not cross a sector's bounds, each with its position.
fn sectors(position: u64, bytes: &[u8], sector: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = bytes;
    let mut at = position;
    std::iter::from_fn(move || {
        let here = usize::try_from(sector - at % sector).unwrap_or(usize::MAX).min(rest.len());
        let (piece, after) = rest.split_at(here);
        let start = at;
        rest = after;
        at += here as u64;
        (!piece.is_empty()).then_some((start, piece))
    })
}
