//! The state journal after its bytes changed behind its back: always found, never worse than
//! older, never a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod journal_support;

use journal_support::{TINY, created, dir, fold, knows, open, path, settled};
use lifeboat_log::error::Corruption;
use lifeboat_log::journal::JournalRecovery;
use lifeboat_log::sim::SimDisk;
use lifeboat_log::state::{Op, State};
use lifeboat_log::vfs::{Vfs, read_all};

const LIMIT: u64 = 1 << 20;
/// A batch that settles one range, in bytes: 40 of header, 39 of operation, one of padding.
const BATCH: u64 = 80;

/// A journal with two snapshots and a few synced batches after each, after a kill; and what was
/// appended, a batch each.
fn rotten_soon() -> (SimDisk, Vec<Op>) {
    let disk = SimDisk::new(1);
    let ops: Vec<_> = std::iter::once(created()).chain((0..7).map(|n| settled(n * 3))).collect();
    let (mut writer, _) = open(disk.clone(), TINY).unwrap();
    for (count, op) in (1..).zip(&ops) {
        writer.append(std::slice::from_ref(op)).unwrap();
        writer.sync().unwrap();
        if count == 3 {
            writer.snapshot().unwrap();
        }
    }
    let names = [journal(1), snapshot(1), journal(2), snapshot(2)];
    assert_eq!(disk.list(dir()).unwrap(), names);
    (disk.kill(), ops)
}

fn journal(number: u64) -> String {
    format!("{number:020}.journal")
}

fn snapshot(number: u64) -> String {
    format!("{number:020}.snapshot")
}

/// What opening finds; it never fails and never finds more than was appended.
fn reopen(disk: &SimDisk, ops: &[Op]) -> (State, JournalRecovery) {
    let (journal, recovery) = open(disk.clone(), TINY).unwrap();
    let state = journal.state().clone();
    assert!(knows(&fold(ops), &state.ops().collect::<Vec<_>>()), "{recovery:?}");
    (state, recovery)
}

/// The file's bytes up to the last that is not zero.
fn used(disk: &SimDisk, name: &str) -> u64 {
    let content = disk.contents(&path(name)).unwrap();
    content.iter().rposition(|&byte| byte != 0).unwrap() as u64 + 1
}

#[test]
fn any_flipped_bit_is_found_or_costs_nothing() {
    let (disk, ops) = rotten_soon();
    let full = fold(&ops);
    for name in [journal(1), snapshot(1), journal(2), snapshot(2)] {
        let newest = name == journal(2) || name == snapshot(2);
        for byte in 0..used(&disk, &name) {
            for bit in 0..8 {
                let rotten = disk.fork();
                rotten.flip_bit(&path(&name), byte, bit).unwrap();
                let (state, recovery) = reopen(&rotten, &ops);
                let found = !recovery.damaged.is_empty() || recovery.discarded_tail_bytes > 0;
                assert_eq!(found, newest, "{name} {byte}.{bit}: {recovery:?}");
                assert!(newest || state == full);
                assert_eq!(recovery.quarantine.is_empty(), recovery.damaged.is_empty());
            }
        }
    }
}

#[test]
fn a_rotten_snapshot_costs_nothing() {
    let (disk, ops) = rotten_soon();
    for byte in 0..used(&disk, &snapshot(2)) {
        let rotten = disk.fork();
        rotten.flip_bit(&path(&snapshot(2)), byte, 0).unwrap();
        let (state, recovery) = reopen(&rotten, &ops);
        assert_eq!((state, recovery.snapshot), (fold(&ops), Some(1)));
        assert_eq!(recovery.damaged[0].path, path(&snapshot(2)));
        assert_eq!(recovery.quarantine, [snapshot(2)]);
        let (state, recovery) = reopen(&rotten.kill(), &ops);
        assert_eq!((state, recovery.damaged.len()), (fold(&ops), 0), "the new one serves");
        assert_eq!(recovery.quarantine, [snapshot(2)], "and the evidence stays");
    }
}

#[test]
fn a_rotten_batch_costs_its_own_operations_only() {
    let (disk, ops) = rotten_soon();
    for lost in 0..5 {
        let rotten = disk.fork();
        let position = 512 + lost * BATCH + 45;
        rotten.flip_bit(&path(&journal(2)), position, 3).unwrap();
        let (state, recovery) = reopen(&rotten, &ops);
        let index = usize::try_from(lost).unwrap() + 3;
        let rest = ops.iter().enumerate().filter(|(n, _)| *n != index).map(|(_, op)| op);
        assert_eq!(state, fold(rest));
        if lost == 4 {
            assert_eq!((recovery.damaged.len(), recovery.discarded_tail_bytes > 0), (0, true));
            continue;
        }
        let [damage] = &recovery.damaged[..] else { panic!("{recovery:?}") };
        assert_eq!(damage.position, 512 + lost * BATCH);
        assert_eq!((damage.len, damage.kind), (BATCH, Corruption::Checksum));
        let copy = path("quarantine").join(&recovery.quarantine[0]);
        let copy = read_all(&rotten, &copy, LIMIT).unwrap();
        let original = disk.contents(&path(&journal(2))).unwrap();
        let start = usize::try_from(damage.position).unwrap();
        assert_eq!(copy[..45], original[start..start + 45]);
    }
}

#[test]
fn any_truncation_leaves_an_older_state_at_worst() {
    let (disk, ops) = rotten_soon();
    for name in [journal(1), snapshot(1), journal(2), snapshot(2)] {
        let content = disk.contents(&path(&name)).unwrap();
        for len in 0..content.len() {
            let cut = disk.fork();
            cut.set_contents(&path(&name), &content[..len]).unwrap();
            let (state, recovery) = reopen(&cut, &ops);
            assert!((3..=ops.len()).any(|count| fold(&ops[..count]) == state));
            if name != journal(2) {
                assert_eq!((state, recovery.damaged.is_empty()), (fold(&ops), name != snapshot(2)));
            }
        }
    }
}

/// With the newest snapshot gone too, what lies between the two must be all there.
#[test]
fn a_shortened_older_journal_is_found() {
    let (disk, ops) = rotten_soon();
    let content = disk.contents(&path(&journal(1))).unwrap();
    for len in 0..content.len() {
        let cut = disk.fork();
        cut.set_contents(&path(&snapshot(2)), b"").unwrap();
        cut.set_contents(&path(&journal(1)), &content[..len]).unwrap();
        let (_, recovery) = reopen(&cut, &ops);
        assert!(recovery.damaged.iter().any(|damage| damage.path != path(&snapshot(2))));
    }
}

#[test]
fn sectors_that_were_zeroed_or_swapped_are_found() {
    let (disk, ops) = rotten_soon();
    for name in [journal(2), snapshot(2)] {
        let content = disk.contents(&path(&name)).unwrap();
        let sectors = usize::try_from(used(&disk, &name)).unwrap().div_ceil(512);
        for (one, other) in (0..sectors).flat_map(|one| (0..sectors).map(move |two| (one, two))) {
            let mut changed = content.clone();
            changed.resize(sectors * 512, 0);
            let sector = |n: usize| n * 512..(n + 1) * 512;
            if one == other {
                changed[sector(one)].fill(0);
            } else {
                let (first, second) =
                    (changed[sector(one)].to_vec(), changed[sector(other)].to_vec());
                changed[sector(one)].copy_from_slice(&second);
                changed[sector(other)].copy_from_slice(&first);
            }
            let rotten = disk.fork();
            rotten.set_contents(&path(&name), &changed).unwrap();
            let (state, recovery) = reopen(&rotten, &ops);
            let found = !recovery.damaged.is_empty() || recovery.discarded_tail_bytes > 0;
            // Zeros at the end are what was never written: such a state is older.
            assert!(found || (3..=ops.len()).any(|count| fold(&ops[..count]) == state));
        }
    }
}

#[test]
fn missing_files_are_found_where_they_are_needed() {
    let (disk, ops) = rotten_soon();
    let without = |names: &[String]| {
        let disk = disk.fork();
        for name in names {
            disk.remove(&path(name)).unwrap();
        }
        let (state, recovery) = reopen(&disk, &ops);
        let kinds: Vec<_> = recovery.damaged.iter().map(|damage| damage.kind).collect();
        (state == fold(&ops), kinds)
    };
    assert_eq!(without(&[snapshot(1), journal(1)]), (true, vec![]));
    assert_eq!(without(&[snapshot(2)]), (true, vec![]));
    assert_eq!(without(&[snapshot(1), snapshot(2)]), (true, vec![]));
    assert_eq!(without(&[snapshot(2), journal(1)]), (false, vec![Corruption::Missing]));
    let all_but_last = [snapshot(1), snapshot(2), journal(1)];
    assert_eq!(without(&all_but_last), (false, vec![Corruption::Missing]));
}

#[test]
fn a_rotten_snapshot_still_tells_that_a_journal_came_before_it() {
    let (disk, ops) = rotten_soon();
    disk.set_contents(&path(&snapshot(2)), b"rot").unwrap();
    let kinds = |disk: &SimDisk| {
        let (_, recovery) = reopen(disk, &ops);
        recovery.damaged.iter().map(|damage| damage.kind).collect::<Vec<_>>()
    };
    let missing = disk.fork();
    missing.remove(&path(&journal(1))).unwrap();
    missing.remove(&path(&journal(2))).unwrap();
    assert_eq!(kinds(&missing), [Corruption::FileHeader, Corruption::Missing]);
    let rotten = disk.fork();
    rotten.remove(&path(&journal(2))).unwrap();
    rotten.flip_bit(&path(&journal(1)), used(&disk, &journal(1)) - 1, 0).unwrap();
    assert_eq!(kinds(&rotten), [Corruption::FileHeader, Corruption::Checksum], "no torn tail");
}

#[test]
fn a_file_under_the_name_of_another_is_found() {
    let (disk, ops) = rotten_soon();
    for (from, to) in [(journal(1), journal(2)), (snapshot(1), snapshot(2))] {
        let swapped = disk.fork();
        let content = disk.contents(&path(&from)).unwrap();
        swapped.set_contents(&path(&to), &content).unwrap();
        let (_, recovery) = reopen(&swapped, &ops);
        assert_eq!(recovery.damaged[0].kind, Corruption::FileHeader);
    }
}

#[test]
fn a_full_disk_does_not_keep_a_rotten_journal_from_opening() {
    let (disk, ops) = rotten_soon();
    disk.flip_bit(&path(&journal(2)), 520, 0).unwrap();
    disk.set_capacity(disk.used() + 2 * 4096);
    let (_, recovery) = reopen(&disk, &ops);
    assert_eq!(recovery.damaged.len(), 1);
}
