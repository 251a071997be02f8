//! Journals that earlier versions wrote still open. Files in `golden/` are never written again;
//! a new version of the format adds a directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod journal_support;

use std::fs;
use std::path::Path;

use journal_support::{STREAM, TINY, created, dir, fold, open, path, settled};
use lifeboat_log::ids::{DeliveryId, StreamId};
use lifeboat_log::sim::SimDisk;
use lifeboat_log::state::Op;
use lifeboat_log::vfs::Vfs;

/// What is in `journal-1.0`: each kind of operation, half of them in the second snapshot.
fn operations() -> Vec<Op> {
    let (stream, delivery) = (STREAM, DeliveryId(2));
    vec![
        created(),
        Op::DeliveryCreated { stream, delivery, name: "größer".into(), cursor: 1 << 40 },
        settled(3),
        Op::DeliveryRemoved { stream, delivery },
        Op::SegmentsDeleted { log: stream, numbers: 0..3 },
        Op::Attempt {
            stream,
            delivery: DeliveryId(1),
            seq: 4,
            attempt: 3,
            failures: 2,
            suspect: true,
        },
        Op::StreamRemoved { stream: StreamId([9; 16]) },
        settled(0),
    ]
}

/// The golden directory on a simulated disk, without the files that `left_out` names.
fn golden(left_out: &str) -> SimDisk {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/journal-1.0");
    let disk = SimDisk::new(1);
    disk.create_dir(dir()).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if left_out.is_empty() || !name.contains(left_out) {
            disk.create(&path(&name)).unwrap();
            disk.set_contents(&path(&name), &fs::read(entry.path()).unwrap()).unwrap();
        }
    }
    disk
}

#[test]
fn version_1_0_opens_from_either_snapshot() {
    for (left_out, snapshot) in [("", 2), ("2.snapshot", 1)] {
        let (journal, recovery) = open(golden(left_out), TINY).unwrap();
        assert_eq!(journal.state(), &fold(&operations()));
        assert_eq!((recovery.snapshot, recovery.damaged), (Some(snapshot), vec![]));
    }
}
