//! A workload on the state journal, and what must hold for whatever is recovered from it.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lifeboat_log::error::LogError;
use lifeboat_log::ids::{DeliveryId, StreamId, VolumeId};
use lifeboat_log::journal::{Journal, JournalOptions, JournalRecovery};
use lifeboat_log::state::{Op, State};
use lifeboat_log::vfs::Vfs;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

pub(crate) const VOLUME: VolumeId = VolumeId([7; 16]);
pub(crate) const STREAM: StreamId = StreamId([1; 16]);
pub(crate) const DELIVERY: DeliveryId = DeliveryId(1);
/// A snapshot every dozen operations.
pub(crate) const TINY: JournalOptions = JournalOptions { snapshot_bytes: 900, slack_bytes: 100 };

pub(crate) fn dir() -> &'static Path {
    Path::new("/journal")
}

pub(crate) fn path(name: &str) -> PathBuf {
    dir().join(name)
}

pub(crate) fn open(
    vfs: impl Vfs,
    options: JournalOptions,
) -> Result<(Journal, JournalRecovery), LogError> {
    Journal::open(Arc::new(vfs), dir(), VOLUME, options)
}

pub(crate) fn created() -> Op {
    Op::DeliveryCreated { stream: STREAM, delivery: DELIVERY, name: "d".into(), cursor: 0 }
}

pub(crate) fn settled(seq: u64) -> Op {
    Op::Settled { stream: STREAM, delivery: DELIVERY, range: seq..seq + 1 }
}

pub(crate) fn fold<'a>(ops: impl IntoIterator<Item = &'a Op>) -> State {
    let mut state = State::default();
    state.apply_all(ops);
    state
}

/// Whether `state` knows everything that `ops` say.
pub(crate) fn knows<'a>(state: &State, ops: impl IntoIterator<Item = &'a Op>) -> bool {
    let mut more = state.clone();
    more.apply_all(ops);
    more == *state
}

/// What was asked of a journal, and what it promised.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Every operation that was given to an append, in order, whether it succeeded or not.
    pub(crate) asked: Vec<Op>,
    /// How many of them were appended and synced, and after how many calls on the disk.
    pub(crate) promises: Vec<(u64, usize)>,
    /// Whether an append failed for want of space, and its operations are missing.
    pub(crate) refused: bool,
    /// Whether it ended with an error.
    pub(crate) broke: bool,
}

impl History {
    /// How many operations were promised by the time of this call.
    pub(crate) fn promised_at(&self, call: u64) -> usize {
        let made = self.promises.iter().take_while(|(at, _)| *at <= call).last();
        made.map_or(0, |(_, count)| *count)
    }

    /// What must hold for a state recovered without damage when `promised` operations were.
    pub(crate) fn check(&self, state: &State, promised: usize) -> Result<(), String> {
        if self.refused {
            if !knows(&fold(&self.asked), &state.ops().collect::<Vec<_>>()) {
                return Err("more than was ever asked for".into());
            }
            return Ok(());
        }
        let prefixes = promised..=self.asked.len();
        if prefixes.clone().any(|count| fold(&self.asked[..count]) == *state) {
            return Ok(());
        }
        Err(format!("not what any of {prefixes:?} operations add up to"))
    }
}

/// Runs a workload of this many steps until it is done or the journal breaks. `calls` tells how
/// many calls the disk has had.
pub(crate) fn run(vfs: impl Vfs, seed: u64, steps: usize, calls: impl Fn() -> u64) -> History {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut history = History::default();
    let Ok((mut journal, _)) = open(vfs, TINY) else {
        history.broke = true;
        return history;
    };
    let mut batch = vec![created()];
    for _ in 0..steps {
        batch.extend((0..rng.random_range(0..3)).map(|_| any_op(&mut rng)));
        history.asked.extend(batch.iter().cloned());
        let sync = rng.random_bool(0.5);
        let done = step(&mut journal, &batch, sync);
        batch.clear();
        match done {
            Ok(true) => history.promises.push((calls(), history.asked.len())),
            Ok(false) => {}
            Err(LogError::Full) => history.refused = true,
            Err(_) => {
                history.broke = true;
                assert!(matches!(journal.append(&[created()]), Err(LogError::Poisoned)));
                return history;
            }
        }
    }
    history
}

/// One append, perhaps a sync, and a snapshot when due; whether all is durable now.
fn step(journal: &mut Journal, batch: &[Op], sync: bool) -> Result<bool, LogError> {
    let before = journal.state().clone();
    if let Err(error) = journal.append(batch) {
        assert_eq!(journal.state(), &before, "a failed append changes nothing");
        return Err(error);
    }
    if sync {
        journal.sync()?;
    }
    if journal.snapshot_due() {
        journal.snapshot()?;
    }
    Ok(!journal.dirty())
}

fn any_op(rng: &mut SmallRng) -> Op {
    let (stream, delivery, seq) = (STREAM, DELIVERY, rng.random_range(0..40));
    match rng.random_range(0..10) {
        0 => Op::SegmentsDeleted { log: stream, numbers: seq..seq + 2 },
        1..4 => Op::Attempt {
            stream,
            delivery,
            seq,
            attempt: rng.random_range(1..4),
            failures: rng.random_range(0..3),
            suspect: rng.random(),
        },
        _ => Op::Settled { stream, delivery, range: seq..seq + rng.random_range(1..4) },
    }
}
