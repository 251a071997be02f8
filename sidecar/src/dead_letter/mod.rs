//! Dead letters: records set apart because their application could not handle them.
//!
//! A record is copied to its stream's dead-letter log and synced there before its source is
//! settled. A crash in between leaves both: a dead letter twice, never a loss.

mod shelf;

use std::sync::Arc;

use lifeboat_log::{LogHandle, Rejection, Run};
use lifeboat_zmtp::{frames, push_frame};
use serde::{Deserialize, Serialize};

pub use shelf::Shelf;

use crate::delivery::{Park, ParkReason};

/// What a dead letter says of itself: the first frame of its record, as JSON. The frames of the
/// message follow as they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The stream that it comes from.
    pub stream: String,
    /// The delivery that gave it up.
    pub delivery: String,
    /// Its seq in the stream.
    pub seq: u64,
    /// How often it was handed out.
    pub attempts: u32,
    /// How often that failed.
    pub failures: u32,
    /// `attempts` when it failed too often, `rejected` when the application said so.
    pub reason: String,
    /// The application's words, if it had any.
    pub detail: String,
}

impl Label {
    /// The label of a record that is parked.
    pub fn of(park: &Park, stream: &str, delivery: &str) -> Self {
        let (reason, detail) = match &park.reason {
            ParkReason::Attempts => ("attempts", String::new()),
            ParkReason::Rejected(words) => {
                ("rejected", String::from_utf8_lossy(words).into_owned())
            }
        };
        Self {
            stream: stream.to_owned(),
            delivery: delivery.to_owned(),
            seq: park.seq,
            attempts: park.tries.attempt,
            failures: park.tries.failures,
            reason: reason.to_owned(),
            detail,
        }
    }

    /// The dead letter's record: the label, then the message.
    ///
    /// # Errors
    /// Of the encoder: none for this type.
    pub fn seal(&self, message: &[u8]) -> serde_json::Result<Vec<u8>> {
        let mut record = Vec::with_capacity(message.len() + 256);
        push_frame(&mut record, true, &serde_json::to_vec(self)?);
        record.extend_from_slice(message);
        Ok(record)
    }

    /// The label of a dead letter's record, and the message behind it as it was; `None` when it is
    /// none.
    pub fn open(record: &[u8]) -> Option<(Self, &[u8])> {
        let first = frames(record).next()?;
        let label = serde_json::from_slice(first.body).ok()?;
        Some((label, record.get(first.wire.len()..)?))
    }
}

/// Stores a dead letter and waits until it is synced, however long space is short.
/// `false` when the log takes nothing any more, or not this: the record stays where it was.
pub async fn store(dead_letters: &Arc<LogHandle>, record: &[u8]) -> bool {
    let Ok(len) = u32::try_from(record.len()) else { return false };
    let whole = 0..len;
    loop {
        let room = dead_letters.queue().room();
        let run = Run { bytes: record, records: std::slice::from_ref(&whole) };
        match dead_letters.queue().submit(run, &mut Vec::new()) {
            Ok(submitted) => return submitted.fate.wait().await.is_ok(),
            Err(Rejection::Full) => room.await,
            Err(Rejection::Closed(_)) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Tries;

    #[test]
    fn a_dead_letter_is_its_label_and_the_message_as_it_was() {
        let park = Park {
            seq: 7,
            tries: Tries { attempt: 3, failures: 2, suspect: false },
            reason: ParkReason::Rejected((*b"no such order").into()),
        };
        let mut message = Vec::new();
        push_frame(&mut message, true, b"a");
        push_frame(&mut message, false, b"b");
        let label = Label::of(&park, "work", "workers");
        let record = label.seal(&message).unwrap();
        let frames: Vec<_> = frames(&record).map(|frame| frame.body).collect();
        assert_eq!(serde_json::from_slice::<Label>(frames[0]).unwrap(), label);
        assert_eq!(label.detail, "no such order");
        assert_eq!(frames[1..], [b"a", b"b"]);
        assert_eq!(Label::open(&record), Some((label, message.as_slice())));
        assert_eq!(Label::open(&message), None);
    }
}
