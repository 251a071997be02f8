//! What is known about each record on its way to an application.
//!
//! [`lease`] serves applications that acknowledge, [`push`] those that cannot. Both keep a
//! [`cursor`]: everything below it is settled. All of it is pure: time and input are arguments, and
//! what must be written to the state journal, parked or sent comes out as values.
//!
//! The log's invariant, as far as a delivery sees it:
//! `log_start <= cursor <= delivered_end <= published_end`.

use std::ops::Range;
use std::sync::Arc;

pub mod backoff;
pub mod cursor;
pub mod lease;
pub mod push;
mod range_map;
mod timers;
pub mod trail;

/// Names one hand-out of one record: what a token carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseKey {
    /// The boot that handed it out.
    pub epoch: u64,
    /// The record.
    pub seq: u64,
    /// Which hand-out of it, from 1.
    pub attempt: u32,
}

/// How often a record was handed out and how often that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// Number of the newest hand-out.
    pub attempt: u32,
    /// Nacks, expiries, and connections that broke while it was alone on them.
    pub failures: u32,
    /// Whether it was in flight when a connection broke: it may be what broke it, so it goes out
    /// with nothing beside it until the application says something about it.
    pub suspect: bool,
}

/// What the state journal must keep of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalOp {
    /// These records need no delivery any more.
    Settled(Range<u64>),
    /// The delivery goes on at this seq: everything below is settled, nothing from there on.
    Seeked(u64),
    /// This record was handed out again, failed, or became a suspect; replaces what was known of
    /// it.
    Attempt {
        /// The record.
        seq: u64,
        /// Its numbers from now on.
        tries: Tries,
    },
}

/// Why a record becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParkReason {
    /// It failed `maxAttempts` times.
    Attempts,
    /// The application rejected it, with these words, if there was room for them.
    Rejected(Arc<[u8]>),
}

/// A record to be copied to the dead letters and synced there before it may be settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Park {
    /// The record.
    pub seq: u64,
    /// Its numbers.
    pub tries: Tries,
    /// Why.
    pub reason: ParkReason,
}

impl Park {
    /// Bytes of the application's words.
    fn words(&self) -> usize {
        match &self.reason {
            ParkReason::Attempts => 0,
            ParkReason::Rejected(words) => words.len(),
        }
    }
}

/// What a step asks its caller to do. One value is used again and again: the caller clears it.
#[derive(Debug, Default)]
pub struct Effects {
    /// For the state journal, in this order.
    pub journal: Vec<JournalOp>,
    /// Connections that were given nothing may be given something now.
    pub wake: bool,
}

impl Effects {
    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.journal.clear();
        self.wake = false;
    }

    /// Adds `seqs` as settled; one that follows the last becomes one with it.
    fn settled(&mut self, seqs: Range<u64>) {
        match self.journal.last_mut() {
            Some(JournalOp::Settled(last)) if last.end == seqs.start => last.end = seqs.end,
            _ => self.journal.push(JournalOp::Settled(seqs)),
        }
    }
}
