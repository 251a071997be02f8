//! What a demo counts: figures for the eye while it runs, and a ledger of every message.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that the demo's parts share.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Messages that the producer made.
    pub(super) sent: Counter,
    /// Messages with a receipt.
    pub(super) receipted: Counter,
    /// Different messages that the consumer has seen.
    pub(super) delivered: Counter,
    /// Times that the queue was killed.
    pub(super) kills: Counter,
}

/// A counter.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Where it stands.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Every message that came in, by its number.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The seq under which each message came in first.
    first: HashMap<u64, u64>,
    /// Further seqs of messages that were stored more than once.
    copies: HashSet<u64>,
    /// Deliveries of a record that had been delivered before.
    pub(super) redelivered: u64,
}

impl Ledger {
    /// Notes that message `number` came in as the record `seq`. `true` for the first time.
    pub(super) fn note(&mut self, number: u64, seq: u64) -> bool {
        let first = match self.first.entry(number) {
            Entry::Vacant(entry) => {
                entry.insert(seq);
                return true;
            }
            Entry::Occupied(entry) => *entry.get(),
        };
        let is_new_copy = first != seq && self.copies.insert(seq);
        self.redelivered += u64::from(!is_new_copy);
        false
    }

    /// Messages that were stored a second time.
    pub(super) fn stored_twice(&self) -> u64 {
        self.copies.len() as u64
    }

    /// How many of the messages below `receipted` never came in.
    pub(super) fn missing(&self, receipted: u64) -> u64 {
        (0..receipted).filter(|number| !self.first.contains_key(number)).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_tells_what_is_missing_and_why_something_came_twice() {
        let mut ledger = Ledger::default();
        assert!(ledger.note(0, 10));
        assert!(ledger.note(2, 12));
        assert!(!ledger.note(2, 12), "the same record again");
        assert!(!ledger.note(2, 13), "the same message in another record");
        assert!(!ledger.note(2, 13), "that one again");
        assert_eq!((ledger.redelivered, ledger.stored_twice()), (2, 1));
        assert_eq!(ledger.missing(3), 1);
        assert_eq!(ledger.missing(5), 3);
        assert_eq!(ledger.missing(1), 0);
    }
}
