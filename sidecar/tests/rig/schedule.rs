//! When the process is killed: the same for the same seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The moment of a SIGKILL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KillAt {
    /// This long after the queue was open.
    Time(Duration),
    /// With this receipt of the round.
    Receipt(u64),
    /// With this delivery of the round.
    Delivery(u64),
}

/// One life of the process, and the short ones before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Round {
    /// Starts that are killed this long after they began: in the middle of recovery, mostly.
    pub(crate) stillborn: Vec<Duration>,
    /// How the life ends.
    pub(crate) kill: KillAt,
    /// Whether the PULL application reads nothing in this round.
    pub(crate) puller_sleeps: bool,
}

/// The rounds of a seed.
pub(crate) fn rounds(seed: u64, count: usize) -> Vec<Round> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..count).map(|_| round(&mut rng)).collect()
}

/// Rounds that end with much in flight, right after a commit and not before the third one (no more
/// than 162 messages wait for a receipt at a time): so long does a settlement take from the
/// hand-out to the journal, on the slowest disk.
pub(crate) fn busy_rounds(seed: u64, count: usize) -> Vec<Round> {
    let mut rng = StdRng::seed_from_u64(seed);
    let round = |_| Round {
        stillborn: Vec::new(),
        kill: KillAt::Receipt(rng.random_range(400..1000)),
        puller_sleeps: false,
    };
    (0..count).map(round).collect()
}

fn round(rng: &mut StdRng) -> Round {
    let stillborn = match rng.random_range(0..100) {
        0..70 => 0,
        70..90 => 1,
        _ => rng.random_range(2..=5),
    };
    let millis = |rng: &mut StdRng, range| Duration::from_millis(rng.random_range(range));
    let kill = match rng.random_range(0..100) {
        0..15 => KillAt::Time(millis(rng, 0..30)),
        15..45 => KillAt::Time(millis(rng, 30..900)),
        45..70 => KillAt::Receipt(rng.random_range(1..3000)),
        70..93 => KillAt::Delivery(rng.random_range(1..3000)),
        _ => KillAt::Time(millis(rng, 1500..2200)),
    };
    Round {
        stillborn: (0..stillborn).map(|_| millis(rng, 0..25)).collect(),
        kill,
        puller_sleeps: rng.random_ratio(1, 4),
    }
}

#[test]
fn a_seed_is_a_schedule() {
    assert_eq!(rounds(1, 50), rounds(1, 50));
    assert_ne!(rounds(1, 50), rounds(2, 50));
}
