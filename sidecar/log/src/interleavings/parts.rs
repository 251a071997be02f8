//! The handshakes without a disk, so that many schedules fit into a minute; and with parts that a
//! test may replace.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use shuttle::future::block_on;
use shuttle::thread;

use crate::batch::Batch;
use crate::fate::{Fate, Refusal};
use crate::handle::{LogHandle, OnDamage};
use crate::holes::Holes;
use crate::ids::StreamId;
use crate::pending::{CommitQueue, Rejection, Run, Submitted};
use crate::recover::Recovered;
use crate::sync::Mutex;
use crate::tail::InMemory;
use crate::view::View;
use crate::waker::Waker;

/// Threads that hand over.
pub(super) const PRODUCERS: u8 = 3;
/// Records that each hands over.
const EACH: u8 = 3;
const TOTAL: u64 = PRODUCERS as u64 * EACH as u64;
/// Two small records, so that producers have to wait for room.
const QUEUE_BYTES: usize = 36;
/// A batch or two, so that buffers are used again.
const TAIL_BYTES: usize = 300;

/// What wakes the writer.
pub(super) trait Latch: Default + Send + Sync + 'static {
    fn wake(&self);
    fn wait(&self);
}

/// Several threads have work done by one that sleeps while there is none.
pub(super) fn signals<L: Latch>(producers: u8) {
    let shared = Arc::new((L::default(), Mutex::new(0)));
    let threads: Vec<_> = (0..producers)
        .map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                *shared.1.lock().unwrap() += 1;
                shared.0.wake();
            })
        })
        .collect();
    let mut done = 0;
    while done < producers {
        shared.0.wait();
        done += std::mem::take(&mut *shared.1.lock().unwrap());
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

/// What a test may replace.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    /// Hands a run over, and waits for room until there is some.
    pub(super) submit: fn(&CommitQueue, Run<'_>) -> Result<Submitted, Refusal>,
    /// Makes a batch visible and decides its fate.
    pub(super) publish: fn(&LogHandle, Vec<InMemory>, &Fate<u64>),
}

impl Default for Parts {
    fn default() -> Self {
        Self { submit, publish }
    }
}

/// As [`CommitQueue::room`] asks for it.
pub(super) fn submit(queue: &CommitQueue, run: Run<'_>) -> Result<Submitted, Refusal> {
    let mut scratch = Vec::new();
    loop {
        let room = queue.room();
        match queue.submit(run, &mut scratch) {
            Ok(submitted) => return Ok(submitted),
            Err(Rejection::Closed(refusal)) => return Err(refusal),
            Err(Rejection::Full) => block_on(room),
        }
    }
}

/// As `Log::publish` does it.
fn publish(log: &LogHandle, batches: Vec<InMemory>, fate: &Fate<u64>) {
    let first_seq = batches[0].batch.first_seq;
    log.publish(batches);
    fate.decide(Ok(first_seq));
}

/// Producers hand over, the writer publishes, a reader follows, all at once.
pub(super) fn traffic(parts: Parts) {
    let waker = Arc::new(Waker::default());
    let log = log(&waker);
    let spawn_producer = |producer| {
        let log = Arc::clone(&log);
        thread::spawn(move || produce(&log, producer, parts.submit))
    };
    let producers: Vec<_> = (0..PRODUCERS).map(spawn_producer).collect();
    let reader = thread::spawn({
        let log = Arc::clone(&log);
        move || follow(&log)
    });
    write(&log, &waker, parts.publish);
    let read = reader.join().unwrap();
    for (producer, handle) in (0..PRODUCERS).zip(producers) {
        let seqs = handle.join().unwrap();
        assert!(seqs.is_sorted_by(|a, b| a < b), "a producer's records keep their order");
        for (number, seq) in (0..EACH).zip(seqs) {
            let found = read.get(&seq).is_none_or(|found| *found == payload(producer, number));
            assert!(found, "record {seq} is another one");
        }
    }
}

fn log(waker: &Arc<Waker>) -> Arc<LogHandle> {
    let view = View::of(&Recovered::nothing(), TAIL_BYTES, Holes::default());
    LogHandle::new(StreamId([1; 16]), QUEUE_BYTES, waker, OnDamage::Stop, view)
}

/// A record's content tells whose it is.
pub(super) fn payload(producer: u8, number: u8) -> Vec<u8> {
    vec![producer << 4 | number; 4 + usize::from(number)]
}

/// Hands records over and returns their seqs.
fn produce(
    log: &LogHandle,
    producer: u8,
    submit: fn(&CommitQueue, Run<'_>) -> Result<Submitted, Refusal>,
) -> Vec<u64> {
    let submitted: Vec<_> = (0..EACH)
        .map(|number| {
            let bytes = payload(producer, number);
            let end = u32::try_from(bytes.len()).unwrap();
            let record = 0..end;
            let run = Run { bytes: &bytes, records: std::slice::from_ref(&record) };
            submit(log.queue(), run).unwrap()
        })
        .collect();
    let seq = |submitted: Submitted| {
        let seq = block_on(submitted.fate.wait()).unwrap() + submitted.index;
        assert!(seq < log.published_end(), "a fate was decided before its record was visible");
        seq
    };
    submitted.into_iter().map(seq).collect()
}

/// The writer thread without a disk.
fn write(log: &LogHandle, waker: &Waker, publish: fn(&LogHandle, Vec<InMemory>, &Fate<u64>)) {
    let mut first_seq = 0;
    while first_seq < TOTAL {
        waker.wait(None);
        if let Some(pending) = log.queue().take() {
            let memory = pending.payloads.capacity();
            let payloads = pending.payloads.freeze();
            let (ends, ids) = (pending.ends, Bytes::new());
            let batch = Batch { first_seq, time: 0, ends, payloads, ids };
            first_seq = batch.end_seq();
            publish(log, vec![InMemory::new(batch, memory)], &pending.fate);
        }
    }
}

/// Reads what is in memory of all that is published, and holds on to some of it.
fn follow(log: &LogHandle) -> BTreeMap<u64, Vec<u8>> {
    let (mut read, mut held, mut seq) = (BTreeMap::new(), Vec::new(), 0);
    while seq < TOTAL {
        let changed = log.changed();
        let end = log.published_end();
        while seq < end {
            if let Some(batch) = log.in_memory(seq) {
                read.insert(seq, batch.payload_bytes(seq).unwrap().to_vec());
                if seq.is_multiple_of(3) {
                    held.push((Bytes::copy_from_slice(&batch.payloads), batch));
                }
            }
            seq += 1;
        }
        if seq < TOTAL {
            block_on(changed);
        }
    }
    for (copy, batch) in held {
        assert!(copy == batch.payloads, "a buffer was filled again that somebody reads");
    }
    read
}
