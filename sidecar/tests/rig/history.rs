//! What everyone saw in one run. Times count from its start.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use lifeboat_sidecar::wire::token::StreamMark;

use super::message::Submission;

/// One run, to its end: nothing is on its way any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    /// Every sending; each producer's own in the order in which its one socket took them.
    pub(crate) sent: Vec<Sent>,
    /// Every answer; each producer's own in the order in which they came.
    pub(crate) receipts: Vec<Receipt>,
    /// What each consumer of the Credit delivery was handed, in that order.
    pub(crate) consumers: Vec<Vec<Delivery>>,
    /// What the consumers said to it.
    pub(crate) verdicts: Vec<Given>,
    /// What the PULL application got, in that order; `None` when a message was damaged. Without
    /// such an application there is no list.
    pub(crate) pulled: Option<Vec<Option<Submission>>>,
    /// The stream's dead letters.
    pub(crate) dead_letters: Vec<DeadLetter>,
    /// Records stored in all: seqs from 0 up to this.
    pub(crate) stored: u64,
    /// Stream ids that HELLO named.
    pub(crate) streams: BTreeSet<[u8; 16]>,
    /// Answers that nobody should get: ERR to a consumer, malformed ones.
    pub(crate) refusals: Vec<String>,
    /// When each boot was killed, by its epoch. A boot that was killed while it started is not here.
    pub(crate) killed: BTreeMap<u64, Duration>,
    /// How often the process was started.
    pub(crate) starts: u64,
    /// How often it was killed.
    pub(crate) kills: u64,
    /// When this machine stood still. Rules about time are not applied across such a time.
    pub(crate) stalls: Vec<Range<Duration>>,
    /// The delivery's `ackTimeout`.
    pub(crate) ack_timeout: Duration,
}

/// A sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// When.
    pub(crate) at: Duration,
    /// What.
    pub(crate) submission: Submission,
}

/// `200 seq`, or another code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// What it answers.
    pub(crate) submission: Submission,
    /// Where it is stored; `None` when it was refused.
    pub(crate) seq: Option<u64>,
    /// When it came.
    pub(crate) at: Duration,
}

/// Names one hand-out of one record. In this order they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HandOut {
    /// The record.
    pub(crate) seq: u64,
    /// The boot.
    pub(crate) epoch: u64,
    /// The attempt.
    pub(crate) attempt: u32,
}

/// One `MSG` as a consumer got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// When.
    pub(crate) at: Duration,
    /// The token's part of the stream id.
    pub(crate) stream: StreamMark,
    /// What the token says.
    pub(crate) hand_out: HandOut,
    /// The payload; `None` when it is not as it was sent.
    pub(crate) message: Option<Submission>,
}

/// What a consumer makes of a hand-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done.
    Ack,
    /// Again, please.
    Nack,
    /// For the dead letters.
    Reject,
    /// Not a word, until the lease ends.
    Hold,
}

/// A verdict as it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Given {
    /// When.
    pub(crate) at: Duration,
    /// On what.
    pub(crate) hand_out: HandOut,
    /// Which.
    pub(crate) verdict: Verdict,
    /// Epoch of the newest `MSG` that the consumer had got by then: if that boot lived on, the
    /// verdict has reached it.
    pub(crate) heard: u64,
}

/// A record set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeadLetter {
    /// Its seq in the stream.
    pub(crate) seq: u64,
    /// The payload; `None` when it is not as it was sent.
    pub(crate) message: Option<Submission>,
}
