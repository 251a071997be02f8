//! The state journal's files, made of batches whose checksums are right and whatever else: it opens
//! without panic, knows nothing that no batch says, and opens again to the same.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use lifeboat_log::LogError;
use lifeboat_log::ids::VolumeId;
use lifeboat_log::journal::{Journal, JournalOptions, JournalRecovery};
use lifeboat_log::sim::SimDisk;
use lifeboat_log::state::{Op, State};
use lifeboat_log::vfs::Vfs;
use lifeboat_log_fuzz::journal::{AnyOp, Batch, File, Number, push_batch, push_op, push_tagged};
use lifeboat_log_fuzz::volume::Damage;

const DIR: &str = "/journal";
const VOLUME: [u8; 16] = [7; 16];

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    files: Vec<AnyFile<'a>>,
}

#[derive(Debug, Arbitrary)]
struct AnyFile<'a> {
    snapshot: bool,
    number: u8,
    previous: Option<(u64, u32)>,
    batches: Vec<AnyBatch<'a>>,
    /// Ends with a batch of no operations, as a snapshot does.
    ended: bool,
    slack: u8,
    damage: Vec<Damage>,
}

#[derive(Debug, Arbitrary)]
struct AnyBatch<'a> {
    ops: Vec<(AnyOp, &'a [u8])>,
    unknown: Option<(u8, &'a [u8])>,
    synced: Number,
    rare: Option<Rare>,
}

#[derive(Debug, Arbitrary)]
enum Rare {
    Number(Number),
    Count(u32),
    Link(u32),
}

/// The file's bytes; the operations in it are added to `said`.
fn bytes_of(file: &AnyFile<'_>, said: &mut Vec<Op>) -> Vec<u8> {
    let header = File {
        snapshot: file.snapshot,
        volume: VOLUME,
        number: u64::from(file.number % 4),
        salt: 5,
        previous: file.previous.unwrap_or_default(),
    };
    let (mut bytes, mut link) = header.bytes();
    let mut number = 0;
    for any in &file.batches {
        let mut ops = Vec::new();
        for (op, more) in &any.ops {
            push_op(&mut ops, &op.op(), more);
            said.extend(most(op.op()));
        }
        if let Some((tag, fields)) = any.unknown {
            push_tagged(&mut ops, tag | 128, fields);
        }
        let count = any.ops.len() + usize::from(any.unknown.is_some());
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let mut batch = Batch { count, number, synced: any.synced.value(), link };
        match any.rare {
            None => {}
            Some(Rare::Number(other)) => batch.number = other.value(),
            Some(Rare::Count(other)) => batch.count = other,
            Some(Rare::Link(other)) => batch.link = other,
        }
        link = push_batch(&mut bytes, header.salt, batch, &ops);
        number = batch.number.wrapping_add(1);
    }
    if file.ended {
        push_batch(&mut bytes, header.salt, Batch { count: 0, number, synced: 0, link }, &[]);
    }
    bytes.resize(bytes.len() + usize::from(file.slack), 0);
    file.damage.iter().for_each(|damage| damage.strike(&mut bytes));
    bytes
}

/// An operation that says at least as much as `op` and takes nothing back, if it says anything: of
/// those that set what they speak of the last one holds, and any may be the last that is read.
fn most(op: Op) -> Option<Op> {
    match op {
        Op::Seeked { stream, delivery, cursor } => {
            Some(Op::Settled { stream, delivery, range: 0..cursor })
        }
        Op::WeaklySynced { weak: false, .. } => None,
        op => Some(op),
    }
}

fn open(disk: &SimDisk) -> Result<(Journal, JournalRecovery), LogError> {
    let options = JournalOptions { snapshot_bytes: 900, slack_bytes: 100 };
    Journal::open(Arc::new(disk.clone()), Path::new(DIR), VolumeId(VOLUME), options)
}

fn fold(ops: &[Op]) -> State {
    let mut state = State::default();
    state.apply_all(ops);
    state
}

fuzz_target!(|input: Input<'_>| {
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new(DIR)).expect("a new disk");
    let mut said = Vec::new();
    for file in input.files.iter().take(6) {
        let kind = if file.snapshot { "snapshot" } else { "journal" };
        let path = Path::new(DIR).join(format!("{:020}.{kind}", file.number % 4));
        if disk.create(&path).is_ok() {
            disk.set_contents(&path, &bytes_of(file, &mut said)).expect("it was just made");
        }
    }
    let (mut journal, _) = match open(&disk) {
        Ok(opened) => opened,
        Err(LogError::Version { .. } | LogError::TooLarge { .. }) => return,
        Err(error) => panic!("{error}"),
    };
    let state = journal.state().clone();
    // Saying all of it again must not be news to one who heard everything: twice, for files are read
    // in the order of their numbers, and a settlement before its delivery was known says nothing.
    let (mut all, known) = (fold(&said), state.ops().collect::<Vec<_>>());
    all.apply_all(&said);
    let before = all.clone();
    all.apply_all(&known);
    assert_eq!(all, before, "{known:?} was never said");

    let one = [Op::StreamRemoved { stream: lifeboat_log::StreamId([9; 16]) }];
    journal.append(&one).and_then(|()| journal.sync()).expect("a disk without faults");
    // As operations: a state may hold streams of which nothing is known.
    let expected: Vec<Op> = journal.state().ops().collect();
    drop(journal);
    let (journal, recovery) = open(&disk.kill()).expect("what was just written");
    assert_eq!(journal.state().ops().collect::<Vec<_>>(), expected);
    assert!(recovery.damaged.is_empty(), "{:?}", recovery.damaged);
});
