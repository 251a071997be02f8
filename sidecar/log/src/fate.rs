//! What became of something handed to the writer: settled once, awaited by many, from any thread
//! or any async runtime.

use std::sync::Arc;

use event_listener::{Listener, listener};

use crate::sync::{Event, OnceLock};

/// Why something handed to the writer will not be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The writer has ended in good order.
    Closed,
    /// A sync failed: nothing is known to be stored until the next start has looked.
    Poisoned,
    /// The stream is stopped by damage on disk.
    Stopped,
    /// There is no space, and the producer would rather know than wait.
    NoSpace,
}

/// The outcome of one batch of records, or of journal operations, when there is one.
#[derive(Debug)]
pub struct Fate<T> {
    outcome: OnceLock<Result<T, Refusal>>,
    /// Of a group of records: how many of them have this fate, if not all. The others found no
    /// space.
    records: OnceLock<u64>,
    decided: Event,
}

impl<T: Copy> Fate<T> {
    /// A fate that nobody has decided yet.
    pub(crate) fn undecided() -> Arc<Self> {
        Arc::new(Self { outcome: OnceLock::new(), records: OnceLock::new(), decided: Event::new() })
    }

    /// Only the first `records` of the group will have this fate.
    pub(crate) fn limit(&self, records: u64) {
        // Limited once, by whoever holds the group.
        let _ = self.records.set(records);
    }

    /// How many records of the group have this fate.
    pub(crate) fn records(&self) -> u64 {
        self.records.get().copied().unwrap_or(u64::MAX)
    }

    /// Decides it; only the first decision counts.
    pub(crate) fn decide(&self, outcome: Result<T, Refusal>) {
        if self.outcome.set(outcome).is_ok() {
            self.decided.notify(usize::MAX);
        }
    }

    /// The outcome, if there is one yet.
    pub fn outcome(&self) -> Option<Result<T, Refusal>> {
        self.outcome.get().copied()
    }

    /// Waits for the outcome. Cancel-safe.
    pub async fn wait(&self) -> Result<T, Refusal> {
        loop {
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
            listener!(self.decided => decided);
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
            decided.await;
        }
    }

    /// Waits for the outcome and blocks the thread meanwhile.
    pub fn wait_blocking(&self) -> Result<T, Refusal> {
        loop {
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
            listener!(self.decided => decided);
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
            decided.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_thread_gets_the_first_decision() {
        let fate = Fate::undecided();
        let waiting = std::thread::spawn({
            let fate: Arc<Fate<u64>> = Arc::clone(&fate);
            move || fate.wait_blocking()
        });
        fate.decide(Ok(7));
        fate.decide(Err(Refusal::Poisoned));
        assert_eq!(waiting.join().unwrap(), Ok(7));
        assert_eq!(fate.outcome(), Some(Ok(7)));
    }
}
