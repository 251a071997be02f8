//! Producers with receipts: a DEALER with many messages in flight, and a REQ with one.
//!
//! What has no receipt after [`RESEND`] is sent again under the same number, as a real producer
//! would: its first copy may be stored or not.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::SmallRng;

use super::actors::{Phase, Shared, receive, socket, try_send};
use super::history::{Receipt, Sent};
use super::message::Submission;

/// Patience with one message.
const RESEND: Duration = Duration::from_millis(300);
/// How long a producer waits for answers before it looks at what else there is to do.
const LOOK: Duration = Duration::from_millis(2);
/// The most that a DEALER sends without looking for answers.
const BURST: usize = 8;

/// What a producer saw.
#[derive(Debug, Default)]
pub(crate) struct ProducerLog {
    pub(crate) sent: Vec<Sent>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) refusals: Vec<String>,
    /// Messages without a receipt.
    pub(crate) unanswered: usize,
}

/// A producer.
pub(crate) struct Producer<'a> {
    id: u32,
    socket: zmq::Socket,
    shared: &'a Shared,
    rng: SmallRng,
    next: u64,
    log: ProducerLog,
}

/// A message in flight.
struct Open {
    copy: u32,
    padding: usize,
    sent: Instant,
}

/// A DEALER for [`Producer::run_window`].
pub(crate) fn dealer(context: &zmq::Context, endpoint: &str) -> zmq::Socket {
    let socket = socket(context, zmq::DEALER);
    socket.connect(endpoint).unwrap();
    socket
}

/// A REQ that may repeat itself, for [`Producer::run_lockstep`].
pub(crate) fn req(context: &zmq::Context, endpoint: &str) -> zmq::Socket {
    let socket = socket(context, zmq::REQ);
    socket.set_req_relaxed(true).unwrap();
    socket.set_req_correlate(true).unwrap();
    socket.connect(endpoint).unwrap();
    socket
}

impl<'a> Producer<'a> {
    pub(crate) fn new(id: u32, socket: zmq::Socket, shared: &'a Shared, rng: SmallRng) -> Self {
        Self { id, socket, shared, rng, next: 0, log: ProducerLog::default() }
    }

    /// Keeps up to `window` messages in flight until the run drains, and leaves with the last
    /// receipt.
    pub(crate) fn run_window(mut self, window: usize) -> ProducerLog {
        let mut open: BTreeMap<u64, Open> = BTreeMap::new();
        while self.shared.is(Phase::Load) || self.shared.is(Phase::Drain) && !open.is_empty() {
            let room = window.saturating_sub(open.len()).min(BURST);
            if room > 0 && self.shared.wants_more() {
                for _ in 0..self.rng.random_range(1..=room) {
                    let (number, padding) = (self.next, self.padding());
                    if self.send(number, 0, padding) {
                        self.next += 1;
                        open.insert(number, Open { copy: 0, padding, sent: Instant::now() });
                    }
                }
            }
            let mut patience = LOOK;
            while let Some(answer) = receive(&self.socket, patience) {
                patience = Duration::ZERO;
                if let Some(number) = self.take_answer(&answer) {
                    open.remove(&number);
                }
            }
            if open.values().any(|message| message.sent.elapsed() > RESEND) {
                self.send_again(&mut open);
            }
        }
        self.log.unanswered = open.len();
        self.log
    }

    /// One message at a time.
    pub(crate) fn run_lockstep(mut self) -> ProducerLog {
        while self.shared.is(Phase::Load) {
            if self.shared.wants_more() {
                self.ask_until_receipt();
            }
            std::thread::sleep(Duration::from_micros(self.rng.random_range(0..2_000)));
        }
        self.log
    }

    /// Sends a REQ's next message again and again, until there is a receipt or the run ends.
    fn ask_until_receipt(&mut self) {
        let (number, padding) = (self.next, self.padding());
        let mut copy = 0;
        while !self.ask(number, copy, padding) {
            if self.shared.is(Phase::Stop) {
                self.log.unanswered += 1;
                return;
            }
            copy += 1;
        }
        self.next += 1;
    }

    /// Sends a REQ's message and waits. `false` when there was no receipt in time.
    fn ask(&mut self, number: u64, copy: u32, padding: usize) -> bool {
        let submission = Submission { producer: self.id, number, copy };
        let body = submission.encode(self.shared.boot.load(SeqCst), padding);
        if !self.try_send(submission, &body) {
            std::thread::sleep(LOOK);
            return false;
        }
        match receive(&self.socket, RESEND) {
            Some(answer) => self.note(submission, &answer),
            None => false,
        }
    }

    /// Sends everything in flight again, in the order of the numbers.
    fn send_again(&mut self, open: &mut BTreeMap<u64, Open>) {
        for (number, message) in open {
            if !self.send(*number, message.copy + 1, message.padding) {
                return;
            }
            message.copy += 1;
            message.sent = Instant::now();
        }
    }

    /// A DEALER's message: its envelope names the copy, so that the receipt does.
    fn send(&mut self, number: u64, copy: u32, padding: usize) -> bool {
        let submission = Submission { producer: self.id, number, copy };
        let [header, noise] = submission.encode(self.shared.boot.load(SeqCst), padding);
        let number = number.to_le_bytes();
        let copy = copy.to_le_bytes();
        let frames: [&[u8]; 5] = [&number, &copy, b"", &header, &noise];
        self.try_send(submission, &frames)
    }

    /// Sends and notes it, unless the socket takes nothing now.
    fn try_send(&mut self, submission: Submission, frames: &[impl AsRef<[u8]>]) -> bool {
        let at = self.shared.now();
        let sent = try_send(&self.socket, frames);
        if sent {
            self.log.sent.push(Sent { at, submission });
        }
        sent
    }

    /// A DEALER's answer. The number, if it is a receipt.
    fn take_answer(&mut self, answer: &[Vec<u8>]) -> Option<u64> {
        let envelope = match answer {
            [number, copy, empty, ..] if empty.is_empty() => {
                number.as_slice().try_into().ok().zip(copy.as_slice().try_into().ok())
            }
            _ => None,
        };
        let Some((number, copy)) = envelope else {
            self.log.refusals.push(format!("not an answer: {answer:?}"));
            return None;
        };
        let number = u64::from_le_bytes(number);
        let submission = Submission { producer: self.id, number, copy: u32::from_le_bytes(copy) };
        self.note(submission, &answer[3..]).then_some(number)
    }

    /// Notes an answer without its envelope. `true` when it is a receipt.
    fn note(&mut self, submission: Submission, answer: &[Vec<u8>]) -> bool {
        let seq = match answer {
            [code, seq] if code == b"200" => {
                std::str::from_utf8(seq).ok().and_then(|digits| digits.parse().ok())
            }
            [code] if code == b"503" => None,
            _ => {
                self.log.refusals.push(format!("to {submission:?}: {answer:?}"));
                None
            }
        };
        self.log.receipts.push(Receipt { submission, seq, at: self.shared.now() });
        if seq.is_some() {
            self.shared.receipts.fetch_add(1, SeqCst);
        }
        seq.is_some()
    }

    /// Bytes of a message's padding: mostly few, sometimes none, rarely 64 KiB.
    fn padding(&mut self) -> usize {
        match self.rng.random_range(0..100) {
            0..10 => 0,
            10..70 => self.rng.random_range(1..200),
            70..96 => self.rng.random_range(200..4_096),
            96..99 => self.rng.random_range(4_096..65_536),
            _ => 65_536,
        }
    }
}
