//! The real writer thread over a simulated disk, stopped or struck by a fault while producers hand
//! over: whoever waits is told, and what was promised can be read.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use super::parts::{PRODUCERS, payload, submit};
use super::under;
use crate::fate::Refusal;
use crate::handle::LogHandle;
use crate::handle::OnDamage;
use crate::journal_queue::{JournalQueue, Urgency};
use crate::pending::Run;
use crate::reader::Read;
use crate::retention::Retention;
use crate::sim::{Fault, SimDisk};
use crate::state::Op;
use crate::sync_mode::SyncMode;
use crate::vfs::Vfs;
use crate::volume::{DeliveryOptions, Stream, StreamOptions, Volume, VolumeOptions};

/// Opening a volume takes longer than all the steps that are looked at.
const SCHEDULES: usize = 10_000;
/// Records that each producer hands over, unless the volume is closed before.
const EACH: u8 = 2;
/// Calls on the disk that all that traffic makes, about.
const CALLS: u64 = 40;

/// A disk with a volume that was opened and killed once.
static DISK: LazyLock<SimDisk> = LazyLock::new(|| {
    let disk = SimDisk::new(1);
    disk.create_dir(dir()).unwrap();
    drop(open(&disk));
    disk.kill()
});

fn dir() -> &'static Path {
    Path::new("/data")
}

fn open(disk: &SimDisk) -> Volume {
    let options = VolumeOptions {
        seed: 1,
        queue_bytes: 40,
        tail_bytes: 300,
        snapshot_bytes: 1 << 20,
        sync: SyncMode::Always,
        reserve_bytes: 0,
    };
    let stream = StreamOptions {
        name: "s".into(),
        max_bytes: 1 << 20,
        segment_bytes: 8 << 10,
        deliveries: vec![DeliveryOptions { name: "d".into(), from: None }],
        retention: Retention::default(),
        on_damage: OnDamage::Stop,
        keeps_ids: false,
    };
    Volume::open(Arc::new(disk.clone()), dir(), &options, &[stream]).unwrap()
}

#[test]
fn a_stop_leaves_nobody_waiting() {
    under(SCHEDULES, || run(&DISK.fork(), Refusal::Closed));
}

#[test]
fn a_failed_write_or_sync_leaves_nobody_waiting() {
    under(SCHEDULES, || run(&DISK.fork(), Refusal::Poisoned));
}

/// Traffic that is ended in the middle, for this reason.
fn run(disk: &SimDisk, end: Refusal) {
    let volume = open(disk);
    if end == Refusal::Poisoned {
        let call = disk.calls() + thread_rng().gen_range(1..CALLS);
        disk.fail_at(call, Fault::Eio, true);
    }
    let (running, streams, journal) = volume.start().unwrap();
    let stream = &streams[0];
    let spawn_producer = |producer| {
        let log = Arc::clone(&stream.log);
        thread::spawn(move || produce(&log, producer, end))
    };
    let producers: Vec<_> = (0..PRODUCERS).map(spawn_producer).collect();
    let settler = spawn_settler(stream, journal, end);
    let ended = running.writer.ended();
    if end == Refusal::Closed {
        running.writer.stop().unwrap();
        assert_eq!(block_on(ended.wait()), Ok(()));
    } else {
        // It may all be done before the fault strikes.
        let stopped = running.writer.stop();
        assert_eq!(block_on(ended.wait()).is_ok(), stopped.is_ok());
    }
    for producer in producers {
        producer.join().unwrap();
    }
    settler.join().unwrap();
}

fn produce(log: &Arc<LogHandle>, producer: u8, end: Refusal) {
    for number in 0..EACH {
        let bytes = payload(producer, number);
        let record = 0..u32::try_from(bytes.len()).unwrap();
        let run = Run { bytes: &bytes, records: std::slice::from_ref(&record) };
        let submitted = match submit(log.queue(), run) {
            Ok(submitted) => submitted,
            Err(refusal) => return assert!([end, Refusal::Closed].contains(&refusal)),
        };
        let seq = match block_on(submitted.fate.wait()) {
            Ok(first_seq) => first_seq + submitted.index,
            Err(refusal) => return assert!([end, Refusal::Closed].contains(&refusal)),
        };
        assert!(seq < log.published_end(), "a fate was decided before its record was visible");
        match log.reader().read(seq) {
            Ok(Read::Batch(batch)) => assert_eq!(batch.payload_bytes(seq), Some(&bytes[..])),
            Ok(other) => panic!("record {seq} is promised: {other:?}"),
            // The fault is of the whole disk, for good.
            Err(error) => assert_eq!(end, Refusal::Poisoned, "{error}"),
        }
    }
}

fn spawn_settler(
    stream: &Stream,
    journal: Arc<JournalQueue>,
    end: Refusal,
) -> thread::JoinHandle<()> {
    let (stream, delivery) = (stream.id, stream.deliveries[0].0);
    thread::spawn(move || {
        for seq in 0..2 {
            let settled = Op::Settled { stream, delivery, range: seq..seq + 1 };
            let fate = journal.submit([settled], Urgency::Now);
            if let Err(refusal) = block_on(fate.wait()) {
                assert!([end, Refusal::Closed].contains(&refusal));
            }
        }
    })
}
