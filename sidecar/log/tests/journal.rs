//! The state journal in good times: what it keeps, what it removes, what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod journal_support;

use std::sync::Arc;

use journal_support::{DELIVERY, STREAM, TINY, VOLUME, created, dir, fold, path, settled};
use lifeboat_log::disk::Disk;
use lifeboat_log::error::LogError;
use lifeboat_log::ids::VolumeId;
use lifeboat_log::journal::{Journal, JournalOptions};
use lifeboat_log::sim::SimDisk;
use lifeboat_log::state::{Op, State};
use lifeboat_log::vfs::Vfs;

fn open(disk: &SimDisk, options: JournalOptions) -> Journal {
    let (journal, recovery) = journal_support::open(disk.clone(), options).unwrap();
    assert_eq!((recovery.damaged, recovery.discarded_tail_bytes), (Vec::new(), 0));
    journal
}

fn names(disk: &SimDisk) -> Vec<String> {
    disk.list(dir()).unwrap()
}

#[test]
fn the_real_disk_keeps_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let open = || {
        let vfs = Arc::new(Disk::new());
        Journal::open(vfs, &path, VOLUME, JournalOptions::default()).unwrap().0
    };
    let mut journal = open();
    assert_eq!(journal.state(), &State::default());
    journal.append(&[created(), settled(0)]).unwrap();
    assert!(journal.dirty());
    journal.file().sync_data().unwrap();
    journal.mark_synced();
    assert!(!journal.dirty());
    journal.append(&[settled(5)]).unwrap();
    journal.sync().unwrap();
    drop(journal);
    assert_eq!(open().state(), &fold(&[created(), settled(0), settled(5)]));
}

#[test]
fn two_snapshots_are_kept_and_the_journals_after_the_older_one() {
    let disk = SimDisk::new(1);
    let mut journal = open(&disk, TINY);
    let mut ops = vec![created()];
    journal.append(&ops).unwrap();
    for seq in 0..100 {
        let op = settled(seq * 2);
        journal.append(std::slice::from_ref(&op)).unwrap();
        ops.push(op);
        if journal.snapshot_due() {
            journal.snapshot().unwrap();
            assert!(!journal.dirty() && !journal.snapshot_due());
            assert_eq!(names(&disk).len(), 4, "{:?}", names(&disk));
        }
    }
    let last: u64 = names(&disk)[3][..20].parse().unwrap();
    assert!(last > 3);
    drop(journal);
    let journal = open(&disk.kill(), TINY);
    assert_eq!(journal.state(), &fold(&ops));
}

#[test]
fn a_snapshot_is_not_due_before_the_journal_outgrows_it() {
    let disk = SimDisk::new(1);
    let mut journal = open(&disk, TINY);
    let ops: Vec<_> = (0..100).map(|seq| settled(seq * 2)).collect();
    journal.append(&[created()]).unwrap();
    journal.append(&ops).unwrap();
    assert!(journal.snapshot_due());
    journal.snapshot().unwrap();
    journal.append(&ops[..50]).unwrap();
    assert!(!journal.snapshot_due(), "900 bytes would be, next to a snapshot of 4,000");
    journal.append(&ops).unwrap();
    assert!(journal.snapshot_due());
}

#[test]
fn files_of_another_volume_are_refused_and_left_alone() {
    let disk = SimDisk::new(1);
    open(&disk, TINY);
    let before = names(&disk);
    let other = VolumeId([8; 16]);
    let refused = Journal::open(Arc::new(disk.clone()), dir(), other, TINY);
    assert!(matches!(refused, Err(LogError::Version { .. })));
    assert_eq!(names(&disk), before);
}

#[test]
fn a_full_disk_stops_appends_only_until_there_is_room() {
    let disk = SimDisk::new(1);
    let options = JournalOptions { snapshot_bytes: 64 << 10, slack_bytes: 0 };
    let mut journal = open(&disk, options);
    journal.append(&[created()]).unwrap();
    disk.set_capacity(disk.used());
    let mut kept = 0;
    let refused = loop {
        match journal.append(&[settled(kept)]) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, LogError::Full));
    assert!(kept > 500, "the reserved space serves");
    assert!(journal.snapshot_due());
    assert!(matches!(journal.snapshot(), Err(LogError::Full)));
    assert!(!journal.snapshot_due(), "not at once again");
    assert_eq!(names(&disk).len(), 2, "no half-made files: {:?}", names(&disk));
    disk.set_capacity(1 << 20);
    journal.append(&[settled(kept)]).unwrap();
    journal.snapshot().unwrap();
    journal.append(&[settled(kept + 1)]).unwrap();
    journal.sync().unwrap();
    let journal = open(&disk.kill(), options);
    assert_eq!(journal.state().delivery(STREAM, DELIVERY).unwrap().cursor, kept + 2);
}

#[test]
fn it_opens_on_a_full_disk() {
    let disk = SimDisk::new(1);
    let options = JournalOptions { snapshot_bytes: 64 << 10, slack_bytes: 0 };
    let mut journal = open(&disk, options);
    journal.append(&[created()]).unwrap();
    journal.sync().unwrap();
    let disk = disk.kill();
    disk.set_capacity(disk.used());
    let mut journal = open(&disk, options);
    journal.append(&[settled(0)]).unwrap();
    journal.sync().unwrap();
    assert_eq!(open(&disk.kill(), options).state(), &fold(&[created(), settled(0)]));
}

#[test]
fn a_failed_sync_poisons_for_good() {
    let disk = SimDisk::new(1);
    let mut journal = open(&disk, TINY);
    let file = path(&names(&disk)[0]);
    journal.append(&[created()]).unwrap();
    disk.fail_next_sync(&file).unwrap();
    assert!(matches!(journal.sync(), Err(LogError::Io { operation: "sync", .. })));
    assert!(matches!(journal.sync(), Err(LogError::Poisoned)));
    assert!(matches!(journal.append(&[settled(0)]), Err(LogError::Poisoned)));
    assert!(matches!(journal.snapshot(), Err(LogError::Poisoned)));
}

#[test]
fn what_does_not_fit_the_format_is_refused_and_harms_nothing() {
    let disk = SimDisk::new(1);
    let mut journal = open(&disk, TINY);
    let name = "x".repeat(256);
    let op = Op::DeliveryCreated { stream: STREAM, delivery: DELIVERY, name, cursor: 0 };
    assert!(matches!(journal.append(&[op]), Err(LogError::TooLarge { .. })));
    journal.append(&[created()]).unwrap();
    journal.append(&[]).unwrap();
    journal.sync().unwrap();
    assert_eq!(open(&disk.kill(), TINY).state(), &fold(&[created()]));
}
