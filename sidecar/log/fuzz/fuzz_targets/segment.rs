//! Recovery of a log's last segment, made of batches whose checksums are right and whatever else:
//! it ends without panic, hands out only what a valid batch says, and cuts nothing valid off.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use lifeboat_log::Finding;
use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::Vfs;
use lifeboat_log_fuzz::format::{Batch, MARKER, RECORDS, SEAL, Segment, body};
use lifeboat_log_fuzz::journal::Number;
use lifeboat_log_fuzz::naive;
use lifeboat_log_fuzz::volume::{Damage, STREAM, append, open, read_all, without_segments};

const SALT: u64 = 77;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    /// Seq of the first record; in the very first segment it is 0.
    base: Option<Number>,
    pieces: Vec<Piece<'a>>,
    damage: Vec<Damage>,
    /// Zeros behind it, in units of 8 bytes.
    slack: u8,
    /// Bytes that the header says over those that there are.
    missing: Option<u8>,
}

#[derive(Debug, Arbitrary)]
enum Piece<'a> {
    Records { payloads: Vec<&'a [u8]>, change: Change },
    Marker(Change),
    Seal { position: Option<u64>, change: Change },
    Bytes(&'a [u8]),
}

/// What is other than it would be.
#[derive(Debug, Arbitrary)]
struct Change {
    later: u8,
    durable: Option<Number>,
    rare: Option<Rare>,
}

#[derive(Debug, Arbitrary)]
enum Rare {
    Seq(Number),
    Count(u32),
    PayloadLen(u32),
    Time(u64),
    Chain(u32),
    Sum(u32),
    Kind(u16),
}

/// The segment as it grows.
struct Builder {
    bytes: Vec<u8>,
    seq: u64,
    time: u64,
    chain: u32,
}

impl Builder {
    fn push(&mut self, piece: &Piece<'_>) {
        let empty: &[u8] = &[];
        match piece {
            Piece::Bytes(bytes) => self.bytes.extend_from_slice(bytes),
            Piece::Records { payloads, change } => {
                let (table, payloads) = body(payloads);
                let count = u32::try_from(table.len() / 8).unwrap_or(u32::MAX);
                self.batch(RECORDS, count, (&table, &payloads), change);
            }
            Piece::Marker(change) => self.batch(MARKER, 0, (empty, empty), change),
            Piece::Seal { position, change } => {
                let here = self.bytes.len() as u64;
                let mut payload = self.time.to_le_bytes().to_vec();
                payload.extend_from_slice(&position.unwrap_or(here).to_le_bytes());
                self.batch(SEAL, 0, (empty, &payload), change);
            }
        }
    }

    fn batch(&mut self, kind: u16, count: u32, body: (&[u8], &[u8]), change: &Change) {
        let (table, payloads) = body;
        self.time = self.time.saturating_add(change.later.into());
        let summed = if kind == RECORDS { table } else { payloads };
        let mut header = Batch {
            kind,
            count,
            first_seq: self.seq,
            time: self.time,
            chain: self.chain,
            table_sum: crc32c::crc32c(summed),
            payload_len: u32::try_from(payloads.len()).unwrap_or(u32::MAX),
            durable_end: change.durable.map_or(0, Number::value),
            ids_len: 0,
            ids_sum: 0,
        };
        match change.rare {
            None => {}
            Some(Rare::Seq(seq)) => header.first_seq = seq.value(),
            Some(Rare::Count(count)) => header.count = count,
            Some(Rare::PayloadLen(len)) => header.payload_len = len,
            Some(Rare::Time(time)) => header.time = time,
            Some(Rare::Chain(chain)) => header.chain = chain,
            Some(Rare::Sum(sum)) => header.table_sum = sum,
            Some(Rare::Kind(kind)) => header.kind = kind,
        }
        let (bytes, sum) = header.bytes(SALT);
        self.bytes.extend_from_slice(&bytes);
        self.bytes.extend_from_slice(table);
        self.bytes.extend_from_slice(payloads);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        self.chain = sum;
        self.seq = header.first_seq.wrapping_add(header.count.into());
    }
}

/// Volumes where the segment is number 0, and where it is number 1.
static VOLUMES: LazyLock<[(SimDisk, [u8; 16]); 2]> =
    LazyLock::new(|| [without_segments(0), without_segments(1)]);

fuzz_target!(|input: Input<'_>| {
    let (disk, log) = &VOLUMES[usize::from(input.base.is_some())];
    let base_seq = input.base.map_or(0, Number::value);
    let number = u64::from(input.base.is_some());
    let header = |len| Segment { log: *log, number, base_seq, salt: SALT, len };
    let mut builder = Builder { bytes: header(0).bytes().0, seq: base_seq, time: 0, chain: 0 };
    // The first link is the header's checksum, which covers the length: built twice.
    let mut len = 0;
    for _ in 0..2 {
        let (bytes, chain) = header(len).bytes();
        builder = Builder { bytes, seq: base_seq, time: 0, chain };
        input.pieces.iter().for_each(|piece| builder.push(piece));
        builder.bytes.resize(builder.bytes.len() + usize::from(input.slack) * 8, 0);
        len = builder.bytes.len() as u64 + u64::from(input.missing.unwrap_or(0));
    }
    let mut bytes = builder.bytes;
    input.damage.iter().for_each(|damage| damage.strike(&mut bytes));

    let disk = disk.fork();
    let path = Path::new(STREAM).join(format!("{base_seq:020}.log"));
    disk.create(&path).expect("a name of its own");
    disk.set_contents(&path, &bytes).expect("it was just made");
    check(&disk, &bytes, base_seq, header(len).bytes().1);
});

fn check(disk: &SimDisk, bytes: &[u8], base_seq: u64, sum: u32) {
    let mut volume = open(disk, 3).expect("damage to a stream is no error of the volume");
    let log = volume.streams[0].log.clone();
    let damaged = volume.findings.iter().any(|finding| matches!(finding, Finding::Damage(_)));
    assert_eq!(damaged, log.marks().stopped.is_some());
    let (found, ended) = read_all(&log);
    let valid = naive::anywhere(bytes, SALT);
    assert!(found.iter().all(|record| valid.contains(record)), "{found:?} not in {valid:?}");
    if damaged || ended.is_err() {
        return;
    }
    if !naive::sealed(bytes, SALT) {
        assert_eq!(found, naive::in_order(bytes, base_seq, SALT, sum));
    } else if found.last().is_some_and(|(seq, _)| seq + 1 != log.published_end()) {
        // A seal is believed without a look at the batches before it, and this one is wrong.
        return;
    }
    let mut expected = found;
    // Nobody writes as many records as would end the numbers.
    if log.published_end() < 1 << 62 {
        expected.push((log.published_end(), b"one more".to_vec()));
        append(&mut volume, b"one more").expect("a disk without faults");
        assert_eq!(read_all(&log).0, expected);
    }
    drop(volume);
    let volume = open(&disk.kill(), 4).expect("what was just written");
    let (again, ended) = read_all(&volume.streams[0].log);
    assert!(ended.is_ok() && again == expected, "{again:?} after {expected:?}: {ended:?}");
}
