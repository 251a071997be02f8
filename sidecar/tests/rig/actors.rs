//! What producers, consumers and the rig share while a run lasts, and how their sockets are made.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Receipts of a round that consumers are behind with beyond which producers wait: the end of a run
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
    deliveries: AtomicU64,
    /// Different messages that the PULL application got.
    pub(crate) pulled: AtomicU64,
    /// How far consumers were behind when the round began.
    behind: AtomicU64,
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
            behind: AtomicU64::new(0),
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
        self.is(Phase::Load) && self.backlog() < self.behind.load(SeqCst) + BACKLOG
    }

    /// A round begins. What consumers are behind with may be lost, and is not waited for.
    pub(crate) fn begin_round(&self) {
        self.behind.store(self.backlog(), SeqCst);
    }

    fn backlog(&self) -> u64 {
        self.receipts.load(SeqCst).saturating_sub(self.seen_count())
    }

    /// Receipts and deliveries so far.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.receipts.load(SeqCst), self.deliveries.load(SeqCst))
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
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up: what is left of a millisecond is to be slept, not spun away.
        let millis = left.as_micros().div_ceil(1000);
        if socket.poll(zmq::POLLIN, i64::try_from(millis).unwrap()).unwrap() == 0 {
            return None;
        }
        match socket.recv_multipart(zmq::DONTWAIT) {
            Ok(message) => return Some(message),
            // What a REQ could read was the answer to an earlier question: it throws that away.
            Err(zmq::Error::EAGAIN) if Instant::now() < deadline => {}
            Err(zmq::Error::EAGAIN) => return None,
            Err(error) => panic!("cannot receive: {error}"),
        }
    }
}

/// Sends a message, unless the socket takes none now.
pub(crate) fn try_send(socket: &zmq::Socket, frames: &[impl AsRef<[u8]>]) -> bool {
    match socket.send_multipart(frames.iter().map(AsRef::as_ref), zmq::DONTWAIT) {
        Ok(()) => true,
        Err(zmq::Error::EAGAIN) => false,
        Err(error) => panic!("cannot send: {error}"),
    }
}
