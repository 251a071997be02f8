use std::collections::BTreeSet;

use super::*;
use crate::vfs::{read_all, replace, write_all_at};

const LIMIT: u64 = 1 << 20;

fn path(name: &str) -> PathBuf {
    Path::new("/").join(name)
}

/// A disk with one empty, durable file `a`.
fn disk_with_file() -> (SimDisk, Arc<dyn File>) {
    let disk = SimDisk::new(1);
    let file = disk.create(&path("a")).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    (disk, file)
}

fn write(file: &Arc<dyn File>, bytes: &[u8], position: u64) {
    write_all_at(&**file, &mut [IoSlice::new(bytes)], position).unwrap();
}

/// What `look` finds on the disks after many power cuts.
fn after_cuts<T: Ord>(disk: &SimDisk, look: impl Fn(&SimDisk) -> T) -> BTreeSet<T> {
    let mut rng = SmallRng::seed_from_u64(7);
    (0..400).map(|_| look(&disk.power_cut(&mut rng))).collect()
}

fn content(disk: &SimDisk) -> Vec<u8> {
    read_all(disk, &path("a"), LIMIT).unwrap()
}

#[test]
fn synced_bytes_never_vanish() {
    let (disk, file) = disk_with_file();
    write(&file, b"kept", 0);
    file.sync_data().unwrap();
    assert_eq!(after_cuts(&disk, content), BTreeSet::from([b"kept".to_vec()]));
}

#[test]
fn unsynced_bytes_may_vanish_and_so_may_the_length() {
    let (disk, file) = disk_with_file();
    write(&file, b"gone", 0);
    let seen = after_cuts(&disk, content);
    assert_eq!(seen, BTreeSet::from([b"".to_vec(), b"gone".to_vec(), b"\0\0\0\0".to_vec()]));
}

#[test]
fn an_unsynced_write_tears_between_sectors_and_only_there() {
    let (disk, file) = disk_with_file();
    write(&file, &[1; 2048], 0);
    file.sync_data().unwrap();
    write(&file, &[2; 2048], 0);
    let seen = after_cuts(&disk, content);
    assert!(seen.len() > 4, "every mix of old and new sectors is possible");
    for content in seen {
        for sector in content.chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]));
        }
    }
}

#[test]
fn a_later_write_may_survive_an_earlier_one() {
    let (disk, file) = disk_with_file();
    file.allocate(8192).unwrap();
    file.sync_data().unwrap();
    write(&file, &[1; 512], 0);
    write(&file, &[2; 512], 4096);
    let seen = after_cuts(&disk, |disk| {
        let content = content(disk);
        (content[0], content[4096])
    });
    assert_eq!(seen, BTreeSet::from([(0, 0), (0, 2), (1, 0), (1, 2)]));
}

#[test]
fn within_a_sector_writes_keep_their_order() {
    let (disk, file) = disk_with_file();
    write(&file, b"..", 0);
    file.sync_data().unwrap();
    write(&file, b"1", 0);
    write(&file, b"2", 1);
    let seen = after_cuts(&disk, content);
    assert_eq!(seen, BTreeSet::from([b"..".to_vec(), b"1.".to_vec(), b"12".to_vec()]));
}

#[test]
fn an_unsynced_truncation_may_be_undone() {
    let (disk, file) = disk_with_file();
    write(&file, b"long", 0);
    file.sync_data().unwrap();
    file.truncate(1).unwrap();
    assert_eq!(content(&disk), b"l");
    let seen = after_cuts(&disk, content);
    assert_eq!(seen, BTreeSet::from([b"l".to_vec(), b"long".to_vec()]));
}

#[test]
fn a_name_is_durable_by_a_sync_of_its_directory_only() {
    let disk = SimDisk::new(1);
    let file = disk.create(&path("a")).unwrap();
    write(&file, b"x", 0);
    file.sync_data().unwrap();
    let names = |disk: &SimDisk| disk.list(Path::new("/")).unwrap().len();
    assert_eq!(after_cuts(&disk, names), BTreeSet::from([0, 1]));
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(after_cuts(&disk, names), BTreeSet::from([1]));
    disk.remove(&path("a")).unwrap();
    assert_eq!(after_cuts(&disk, names), BTreeSet::from([0, 1]));
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(after_cuts(&disk, names), BTreeSet::from([0]));
}

#[test]
fn a_directory_that_was_not_synced_takes_its_files_along() {
    let disk = SimDisk::new(1);
    disk.create_dir(&path("d")).unwrap();
    disk.create(&path("d/a")).unwrap();
    disk.sync_dir(&path("d")).unwrap();
    let found = |disk: &SimDisk| disk.open(&path("d/a")).is_ok();
    assert_eq!(after_cuts(&disk, found), BTreeSet::from([false, true]));
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(after_cuts(&disk, found), BTreeSet::from([true]));
}

#[test]
fn a_replaced_file_is_the_old_or_the_new_one() {
    let disk = SimDisk::new(1);
    replace(&disk, Path::new("/"), "a", b"old").unwrap();
    assert_eq!(after_cuts(&disk, content), BTreeSet::from([b"old".to_vec()]));
    disk.record();
    replace(&disk, Path::new("/"), "a", b"new").unwrap();
    let mut seen = BTreeSet::new();
    for moment in disk.recorded() {
        seen.append(&mut after_cuts(&moment, content));
    }
    assert_eq!(seen, BTreeSet::from([b"new".to_vec(), b"old".to_vec()]));
    assert_eq!(after_cuts(&disk, content), BTreeSet::from([b"new".to_vec()]));
}

#[test]
fn a_rename_between_directories_keeps_one_name() {
    let disk = SimDisk::new(1);
    for dir in ["d", "e"] {
        disk.create_dir(&path(dir)).unwrap();
    }
    disk.create(&path("d/a")).unwrap();
    disk.sync_dir(&path("d")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk.rename(&path("d/a"), &path("e/b")).unwrap();
    let found = |disk: &SimDisk| (disk.open(&path("d/a")).is_ok(), disk.open(&path("e/b")).is_ok());
    assert_eq!(after_cuts(&disk, found), BTreeSet::from([(false, true), (true, false)]));
    disk.sync_dir(&path("e")).unwrap();
    assert_eq!(after_cuts(&disk, found), BTreeSet::from([(false, true)]));
}

#[test]
fn after_a_kill_the_next_process_sees_all_and_the_old_one_nothing() {
    let (disk, file) = disk_with_file();
    let lock = disk.lock(&path("lock")).unwrap();
    assert_eq!(disk.lock(&path("lock")).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    write(&file, b"cached", 0);
    let next = disk.kill();
    assert!(file.write_at(&[IoSlice::new(b"late")], 0).is_err());
    assert!(disk.list(Path::new("/")).is_err());
    assert_eq!(content(&next), b"cached");
    assert!(after_cuts(&next, content).len() > 1, "seen is not durable");
    next.lock(&path("lock")).unwrap();
    drop(lock);
}

#[test]
fn a_failed_sync_gives_up_what_it_did_not_write() {
    let mut kept = BTreeSet::new();
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let file = disk.create(&path("a")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        file.allocate(1).unwrap();
        file.sync_data().unwrap();
        write(&file, b"1", 0);
        disk.fail_next_sync(&path("a")).unwrap();
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        assert_eq!(content(&disk), b"1", "the cache still shows it");
        let after = after_cuts(&disk, content);
        assert_eq!(after.len(), 1, "no sync will change its fate");
        file.forget(0..1);
        assert_eq!(after, BTreeSet::from([content(&disk)]));
        kept.extend(after);
    }
    assert_eq!(kept, BTreeSet::from([b"\0".to_vec(), b"1".to_vec()]));
}

#[test]
fn planned_faults_strike_the_calls_they_name() {
    let (disk, file) = disk_with_file();
    let call = disk.calls();
    disk.fail_at(call + 2, Fault::Eio, false);
    disk.fail_at(call + 4, Fault::ShortWrite, false);
    disk.fail_at(call + 5, Fault::Enospc, true);
    write(&file, b"x", 0);
    assert_eq!(file.len().unwrap_err().raw_os_error(), Some(5));
    assert_eq!(file.len().unwrap(), 1);
    assert!(file.write_at(&[IoSlice::new(&[1; 100])], 0).unwrap() > 0);
    let full = |result: io::Result<()>| result.unwrap_err().kind() == io::ErrorKind::StorageFull;
    assert!(full(file.write_at(&[IoSlice::new(b"x")], 0).map(drop)));
    assert!(full(file.allocate(9)));
    assert!(full(disk.create(&path("b")).map(drop)));
    file.len().unwrap();
    disk.heal();
    disk.fail_at(disk.calls() + 1, Fault::Eintr, true);
    write(&file, b"through", 0);
    assert_eq!(&content(&disk)[..7], b"through");
}

#[test]
fn a_full_disk_refuses_and_frees() {
    let (disk, file) = disk_with_file();
    disk.set_capacity(3 * 4096);
    file.allocate(2 * 4096).unwrap();
    write(&file, &[1; 8192], 0);
    assert_eq!(disk.used(), 8192);
    assert!(file.write_at(&[IoSlice::new(&[1; 4097])], 8192).is_err());
    assert!(file.allocate(4 * 4096).is_err());
    write(&file, &[1; 4096], 8192);
    assert_eq!(disk.space(Path::new("/")).unwrap(), Space { total: 3 * 4096, available: 0 });
    file.truncate(4096).unwrap();
    assert_eq!(disk.used(), 4096);
    disk.remove(&path("a")).unwrap();
    assert_eq!(disk.used(), 0);
}

#[test]
fn the_same_seed_gives_the_same_disk() {
    let run = |seed| {
        let (disk, file) = disk_with_file();
        write(&file, &[3; 9000], 100);
        disk.create(&path("b")).unwrap();
        let cut = disk.power_cut(&mut SmallRng::seed_from_u64(seed));
        (cut.list(Path::new("/")).unwrap(), content(&cut))
    };
    assert!((0..50).all(|seed| run(seed) == run(seed)));
    assert!((1..50).any(|seed| run(seed) != run(0)));
}

#[test]
fn liars_are_found_out() {
    let (disk, _) = disk_with_file();
    let liar = Liar::new(disk.clone(), Lie::NoDataSync);
    let file = liar.open(&path("a")).unwrap();
    write(&file, b"x", 0);
    file.sync_data().unwrap();
    assert!(after_cuts(&disk, content).len() > 1);
    let liar = Liar::new(disk.clone(), Lie::NoDirSync);
    liar.remove(&path("a")).unwrap();
    liar.sync_dir(Path::new("/")).unwrap();
    assert_eq!(after_cuts(&disk, |disk| disk.open(&path("a")).is_ok()).len(), 2);
}

#[test]
fn a_flipped_bit_stays_flipped() {
    let (disk, file) = disk_with_file();
    write(&file, b"abc", 0);
    file.sync_data().unwrap();
    disk.flip_bit(&path("a"), 1, 0).unwrap();
    assert_eq!(after_cuts(&disk, content), BTreeSet::from([b"acc".to_vec()]));
    disk.set_contents(&path("a"), b"ab").unwrap();
    assert_eq!(after_cuts(&disk, content), BTreeSet::from([b"ab".to_vec()]));
}
