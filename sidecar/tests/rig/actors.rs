//! What producers, consumers and the rig share while a run lasts, and how their sockets are made.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Receipted records that consumers have not seen beyond which producers wait: the end of a run
/// should not have to work off hours of it.
const BACKLOG: u64 = 4_000;
/// How long the stall watch sleeps at a time.
const TICK: Duration = Duration::from_millis(5);
/// Oversleeping that counts as a stall of the machine.
const STALL: Duration = Duration::from_millis(50);

/// What everyone is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Producers send, consumers judge at whim.
    Load,
    /// Producers only get their last receipts, consumers acknowledge everything.
    Drain,
    /// End.
    Stop,
}

/// One of these for a run.
#[derive(Debug)]
pub(crate) struct Shared {
    started: Instant,
    phase: AtomicU8,
    /// Starts of the process so far.
    pub(crate) boot: AtomicU32,
    /// Receipts so far.
    pub(crate) receipts: AtomicU64,
    /// Deliveries to Credit consumers so far.
    pub(crate) deliveries: AtomicU64,
    /// Different messages that the PULL application got.
    pub(crate) pulled: AtomicU64,
    /// Whether the PULL application reads nothing.
    pub(crate) puller_sleeps: AtomicBool,
    /// Seqs that Credit consumers were handed.
    seen: Mutex<BTreeSet<u64>>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            phase: AtomicU8::new(Phase::Load as u8),
            boot: AtomicU32::new(0),
            receipts: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
            pulled: AtomicU64::new(0),
            puller_sleeps: AtomicBool::new(false),
            seen: Mutex::default(),
        }
    }

    /// Time since the start of the run.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, SeqCst);
    }

    pub(crate) fn is(&self, phase: Phase) -> bool {
        self.phase.load(SeqCst) == phase as u8
    }

    /// Whether a producer may send something new.
    pub(crate) fn wants_more(&self) -> bool {
        let receipts = self.receipts.load(SeqCst);
        self.is(Phase::Load) && receipts < self.seen_count() + BACKLOG
    }

    /// A consumer was handed `seq`.
    pub(crate) fn saw(&self, seq: u64) {
        self.deliveries.fetch_add(1, SeqCst);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(seq);
    }

    /// Different seqs that consumers were handed.
    pub(crate) fn seen_count(&self) -> u64 {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// Watches until the end of the run for times at which this machine let nobody work.
    pub(crate) fn watch_stalls(&self) -> Vec<Range<Duration>> {
        let mut stalls = Vec::new();
        while !self.is(Phase::Stop) {
            let before = self.now();
            std::thread::sleep(TICK);
            let after = self.now();
            if after > before + TICK + STALL {
                stalls.push(before..after);
            }
        }
        stalls
    }
}

/// A socket that connects again at once, and does not linger.
pub(crate) fn socket(context: &zmq::Context, kind: zmq::SocketType) -> zmq::Socket {
    let socket = context.socket(kind).unwrap();
    socket.set_linger(0).unwrap();
    socket.set_reconnect_ivl(10).unwrap();
    socket
}

/// The next message, if one is there within `patience`.
pub(crate) fn receive(socket: &zmq::Socket, patience: Duration) -> Option<Vec<Vec<u8>>> {
    let millis = i64::try_from(patience.as_millis()).unwrap();
    let readable = socket.poll(zmq::POLLIN, millis).unwrap() > 0;
    readable.then(|| socket.recv_multipart(0).unwrap())
}

/// Sends a message, unless the socket takes none now.
pub(crate) fn try_send(socket: &zmq::Socket, frames: &[impl AsRef<[u8]>]) -> bool {
    match socket.send_multipart(frames.iter().map(AsRef::as_ref), zmq::DONTWAIT) {
        Ok(()) => true,
        Err(zmq::Error::EAGAIN) => false,
        Err(error) => panic!("cannot send: {error}"),
    }
}
