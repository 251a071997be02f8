//! The index of a sealed segment, of any content: it may cost a search or an error, it never leads
//! to a record that is not the one asked for.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use lifeboat_log::Read;
use lifeboat_log::sim::SimDisk;
use lifeboat_log_fuzz::format;
use lifeboat_log_fuzz::naive::Record;
use lifeboat_log_fuzz::volume::{files, open, with_history};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    Entries { entries: Vec<[u64; 3]>, reads: Vec<u8> },
    Bytes { bytes: &'a [u8], reads: Vec<u8> },
}

static VOLUME: LazyLock<(SimDisk, Vec<Record>)> = LazyLock::new(with_history);

fuzz_target!(|input: Input<'_>| {
    let (disk, records) = &*VOLUME;
    let disk = disk.fork();
    let files = files(&disk);
    let index = files.iter().find(|path| path.extension().is_some_and(|end| end == "idx"));
    let index = index.expect("a sealed segment");
    let segment = disk.contents(&index.with_extension("log")).expect("its segment");
    let salt = u64::from_le_bytes(segment[80..88].try_into().expect("eight bytes"));
    let (bytes, reads) = match input {
        Input::Entries { entries, reads } => (format::index(salt, &entries), reads),
        Input::Bytes { bytes, reads } => (bytes.to_vec(), reads),
    };
    disk.set_contents(index, &bytes).expect("a file");

    let volume = open(&disk, 3).expect("an index is no evidence");
    assert!(volume.findings.is_empty(), "{:?}", volume.findings);
    let log = &volume.streams[0].log;
    let start = log.marks().log_start;
    let mut reader = log.reader();
    for read in reads {
        let (seq, payload) = &records[usize::from(read) % records.len()];
        match reader.read(*seq) {
            Ok(Read::Batch(batch)) => assert_eq!(batch.payload_bytes(*seq), Some(&payload[..])),
            Ok(Read::Deleted { .. }) => assert!(*seq < start, "record {seq} is there"),
            Ok(Read::End) => panic!("record {seq} is published"),
            Err(_) => {}
        }
    }
});
