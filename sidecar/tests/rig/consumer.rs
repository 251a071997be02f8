//! A consumer of the Credit delivery: a DEALER whose socket stays open through all rounds. It
//! gives credit on each HELLO, acknowledges in batches, and now and then nacks, rejects, or says
//! nothing until the lease ends.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lifeboat_sidecar::wire::token::Token;
use rand::Rng;
use rand::rngs::SmallRng;

use super::actors::{Phase, Shared, receive, socket, try_send};
use super::history::{Delivery, Given, HandOut, Verdict};
use super::message::Submission;

/// How long a consumer waits for messages before it looks at what else there is to do.
const LOOK: Duration = Duration::from_millis(2);
/// Longest wait of an acknowledgement for its batch.
const BATCH_TIME: Duration = Duration::from_millis(15);
/// Most acknowledgements in a batch.
const BATCH: usize = 32;
/// Most credit: half of it may be held without a word.
const CREDIT: u32 = 64;

/// What a consumer saw and said.
#[derive(Debug, Default)]
pub(crate) struct ConsumerLog {
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) verdicts: Vec<Given>,
    pub(crate) streams: BTreeSet<[u8; 16]>,
    pub(crate) refusals: Vec<String>,
}

/// A consumer.
pub(crate) struct Consumer<'a> {
    socket: zmq::Socket,
    shared: &'a Shared,
    rng: SmallRng,
    /// Tokens to be acknowledged together, and what they name.
    batch: Vec<(Vec<u8>, HandOut)>,
    batch_since: Instant,
    /// Epoch of the newest `MSG`.
    heard: u64,
    /// Holds in that epoch.
    held: u32,
    log: ConsumerLog,
}

impl<'a> Consumer<'a> {
    pub(crate) fn new(
        context: &zmq::Context,
        endpoint: &str,
        shared: &'a Shared,
        rng: SmallRng,
    ) -> Self {
        let socket = socket(context, zmq::DEALER);
        socket.connect(endpoint).unwrap();
        Self {
            socket,
            shared,
            rng,
            batch: Vec::new(),
            batch_since: Instant::now(),
            heard: 0,
            held: 0,
            log: ConsumerLog::default(),
        }
    }

    /// Works until the end of the run.
    pub(crate) fn run(mut self) -> ConsumerLog {
        while !self.shared.is(Phase::Stop) {
            let mut patience = LOOK;
            while let Some(message) = receive(&self.socket, patience) {
                patience = Duration::ZERO;
                self.take(&message);
            }
            if !self.batch.is_empty() && self.batch_since.elapsed() > BATCH_TIME {
                self.acknowledge();
            }
        }
        self.log
    }

    fn take(&mut self, message: &[Vec<u8>]) {
        match message {
            [verb, version, stream] if verb == b"HELLO" && version == b"1" => {
                let digits = std::str::from_utf8(stream).unwrap_or_default();
                match u128::from_str_radix(digits, 16) {
                    Ok(id) if digits.len() == 32 => {
                        self.log.streams.insert(id.to_be_bytes());
                    }
                    _ => self.log.refusals.push(format!("not a stream id: {digits:?}")),
                }
                let credit = self.rng.random_range(16..=CREDIT);
                self.say(&[b"CREDIT", credit.to_string().as_bytes()]);
            }
            [verb, token, attempt, seq, empty, body @ ..] if verb == b"MSG" && empty.is_empty() => {
                let decoded = Token::decode(token).filter(|Token { lease, .. }| {
                    attempt == lease.attempt.to_string().as_bytes()
                        && seq == lease.seq.to_string().as_bytes()
                });
                match decoded {
                    Some(decoded) => self.judge(token, &decoded, body),
                    None => self.log.refusals.push(format!("not a token: {token:?}")),
                }
            }
            other => {
                let frames: Vec<_> = other.iter().map(|frame| frame.escape_ascii()).collect();
                self.log.refusals.push(format!("{frames:?}"));
            }
        }
    }

    fn judge(&mut self, token: &[u8], decoded: &Token, body: &[Vec<u8>]) {
        let lease = decoded.lease;
        let hand_out = HandOut { seq: lease.seq, epoch: lease.epoch, attempt: lease.attempt };
        self.log.deliveries.push(Delivery {
            at: self.shared.now(),
            stream: decoded.stream,
            hand_out,
            message: Submission::decode(body),
        });
        self.shared.saw(hand_out.seq);
        if self.heard != hand_out.epoch {
            self.held = 0;
        }
        self.heard = hand_out.epoch;
        match self.whim() {
            Verdict::Ack => {
                if self.batch.is_empty() {
                    self.batch_since = Instant::now();
                }
                self.batch.push((token.to_vec(), hand_out));
                if self.batch.len() >= BATCH {
                    self.acknowledge();
                }
            }
            Verdict::Nack => {
                self.note(hand_out, Verdict::Nack);
                match self.rng.random_range(0..3) {
                    0 => self.say(&[b"NACK", token]),
                    1 => self.say(&[b"NACK", token, b"0"]),
                    _ => self.say(&[b"NACK", token, b"50"]),
                }
            }
            Verdict::Reject => {
                self.note(hand_out, Verdict::Reject);
                self.say(&[b"REJECT", token, b"a whim"]);
            }
            Verdict::Hold => {
                self.held += 1;
                self.note(hand_out, Verdict::Hold);
            }
        }
    }

    fn whim(&mut self) -> Verdict {
        if self.shared.is(Phase::Drain) {
            return Verdict::Ack;
        }
        match self.rng.random_range(0..1000) {
            0..30 => Verdict::Nack,
            30..35 => Verdict::Reject,
            35..45 if self.held < 8 => Verdict::Hold,
            _ => Verdict::Ack,
        }
    }

    fn acknowledge(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let mut frames: Vec<&[u8]> = vec![b"ACK"];
        frames.extend(batch.iter().map(|(token, _)| token.as_slice()));
        for (_, hand_out) in &batch {
            self.note(*hand_out, Verdict::Ack);
        }
        self.say(&frames);
    }

    fn note(&mut self, hand_out: HandOut, verdict: Verdict) {
        let (at, heard) = (self.shared.now(), self.heard);
        self.log.verdicts.push(Given { at, hand_out, verdict, heard });
    }

    /// Says something, unless so much is unsent that the sidecar cannot be there: then it is as
    /// if the connection had swallowed it.
    fn say(&mut self, frames: &[&[u8]]) {
        try_send(&self.socket, frames);
    }
}
