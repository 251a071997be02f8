//! The dead letters of one stream as operators work with them: which there are, and which were
//! taken away again.
//!
//! Taking away is a settlement like any other: the dead-letter log has one delivery of its own in
//! the state journal, so that its segments go by the same rules as those of any log. It must not
//! decide what becomes of a letter.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lifeboat_log::state::DeliveryState;
use lifeboat_log::{DeliveryId, Fate, JournalQueue, LogHandle, Op, Urgency};

use crate::delivery::cursor::Cursor;

/// The one delivery that a dead-letter log has.
const TAKEN: DeliveryId = DeliveryId(1);
/// Its name in the journal.
const TAKEN_NAME: &str = "taken";

/// The dead letters of one stream.
#[derive(Debug)]
pub struct Shelf {
    log: Arc<LogHandle>,
    journal: Arc<JournalQueue>,
    /// Letters that were taken away.
    taken: Mutex<Cursor>,
}

impl Shelf {
    /// The letters of `log`; `known` is what the journal says of its delivery.
    pub fn new(
        log: Arc<LogHandle>,
        journal: Arc<JournalQueue>,
        known: Option<DeliveryState>,
    ) -> Self {
        let known = known.unwrap_or_default();
        let taken = Mutex::new(Cursor::new(known.cursor, known.settled));
        Self { log, journal, taken }
    }

    /// Their log.
    pub fn log(&self) -> &Arc<LogHandle> {
        &self.log
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        let marks = self.log.marks();
        let gone = self.lock().with_settled(self.log.holes().all().iter());
        gone.unsettled_within(&(marks.log_start..marks.published_end))
    }

    /// Which were taken away, as things stand now.
    pub fn taken(&self) -> Cursor {
        self.lock().clone()
    }

    /// Takes letters away. The fate is decided once that is durable; a crash before leaves them.
    pub fn take(&self, letters: impl IntoIterator<Item = Range<u64>>) -> Arc<Fate<()>> {
        let (stream, delivery) = (self.log.id(), TAKEN);
        let mut taken = self.lock();
        // Repeated, it says nothing new; the first time it makes the delivery known.
        let created =
            Op::DeliveryCreated { stream, delivery, name: TAKEN_NAME.to_owned(), cursor: 0 };
        let mut ops = vec![created];
        // Where damage took letters, nothing is left to be taken, and nothing may hold a segment.
        let holes = self.log.holes().all();
        for range in letters.into_iter().chain(holes.iter()) {
            taken.settle(range, |range| ops.push(Op::Settled { stream, delivery, range }));
        }
        self.journal.submit(ops, Urgency::Now)
    }

    fn lock(&self) -> MutexGuard<'_, Cursor> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
