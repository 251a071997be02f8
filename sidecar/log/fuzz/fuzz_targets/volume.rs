//! A real volume, harmed: whatever opens hands out a record as it was written, or an error.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use lifeboat_log::LogError;
use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::Vfs;
use lifeboat_log_fuzz::naive::Record;
use lifeboat_log_fuzz::volume::{Damage, append, files, open, read_all, with_history};

#[derive(Debug, Arbitrary)]
struct Harm {
    file: u8,
    what: What,
}

#[derive(Debug, Arbitrary)]
enum What {
    Damage(Damage),
    /// A part of it, of so many bytes, becomes that of another file.
    Swapped {
        with: u8,
        at: u32,
        len: u16,
    },
    Lost,
}

static VOLUME: LazyLock<(SimDisk, Vec<Record>)> = LazyLock::new(with_history);

fn strike(disk: &SimDisk, harm: &Harm) {
    let files = files(disk);
    let Some(path) = files.get(usize::from(harm.file) % files.len().max(1)) else { return };
    let mut bytes = disk.contents(path).expect("a file");
    match &harm.what {
        What::Lost => return disk.remove(path).expect("a file"),
        What::Damage(damage) => damage.strike(&mut bytes),
        What::Swapped { with, at, len } => {
            let other = disk.contents(&files[usize::from(*with) % files.len()]).expect("a file");
            let start = *at as usize % bytes.len().max(1);
            let end = (start + usize::from(*len)).min(bytes.len()).min(other.len());
            if start < end {
                bytes[start..end].copy_from_slice(&other[start..end]);
            }
        }
    }
    disk.set_contents(path, &bytes).expect("a file");
}

fuzz_target!(|harms: Vec<Harm>| {
    let (disk, records) = &*VOLUME;
    let disk = disk.fork();
    harms.iter().take(8).for_each(|harm| strike(&disk, harm));
    let mut volume = match open(&disk, 3) {
        Ok(volume) => volume,
        Err(LogError::Corrupt { .. } | LogError::Version { .. }) => return,
        Err(error) => panic!("{error}"),
    };
    let log = volume.streams[0].log.clone();
    let (found, _) = read_all(&log);
    assert!(found.iter().all(|record| records.contains(record)), "a record that nobody wrote");
    if harms.is_empty() {
        assert!(volume.findings.is_empty(), "{:?}", volume.findings);
        assert!(!found.is_empty() && records.ends_with(&found));
    }
    if log.marks().stopped.is_none() {
        append(&mut volume, b"one more").expect("a disk without faults");
    }
});
