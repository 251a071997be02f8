//! The operations that the state is folded from. Their bytes are [`crate::journal`]'s.

use std::ops::Range;

use crate::ids::{DeliveryId, StreamId};

/// One change to the state.
///
/// A cursor moves back only by [`Op::Seeked`], which sets everything of its delivery: what was known
/// before it does not matter, so that replaying a stretch again still ends in the same state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A delivery exists. Repeated, it can only raise the cursor.
    DeliveryCreated {
        /// The stream that it reads.
        stream: StreamId,
        /// Its id, never used before in this stream (see `StreamState::next_delivery`).
        delivery: DeliveryId,
        /// Its name in the contract file, at most 255 bytes.
        name: String,
        /// Everything below this seq counts as settled.
        cursor: u64,
    },
    /// A delivery was purged. Its id stays used.
    DeliveryRemoved {
        /// The stream that it read.
        stream: StreamId,
        /// Its id.
        delivery: DeliveryId,
    },
    /// Records need not be delivered again. Without effect on a delivery that is not known.
    Settled {
        /// The stream.
        stream: StreamId,
        /// The delivery.
        delivery: DeliveryId,
        /// Their seqs.
        range: Range<u64>,
    },
    /// A record was handed out, failed, or became a suspect. Without effect once it is settled.
    Attempt {
        /// The stream.
        stream: StreamId,
        /// The delivery.
        delivery: DeliveryId,
        /// The record.
        seq: u64,
        /// Highest number of a hand-out, from 1.
        attempt: u32,
        /// Failures so far.
        failures: u32,
        /// Whether it was in flight when a connection broke, and has to be probed alone.
        suspect: bool,
    },
    /// A delivery goes on elsewhere: everything below is settled, and nothing from there on, whatever
    /// was settled or tried before. What the log does not hold any more is settled after it.
    Seeked {
        /// The stream.
        stream: StreamId,
        /// The delivery.
        delivery: DeliveryId,
        /// Where it goes on.
        cursor: u64,
    },
    /// Segments of a log are about to be unlinked, or are: that they are missing is no damage.
    SegmentsDeleted {
        /// The stream whose log it is.
        log: StreamId,
        /// The numbers of the segments.
        numbers: Range<u64>,
    },
    /// Whether records of a log may have been seen that are not synced: true from the start in a
    /// weak sync mode until a stop in good order. The last one holds.
    WeaklySynced {
        /// The stream whose log it is.
        log: StreamId,
        /// Whether they may.
        weak: bool,
    },
    /// Records of a log are lost to damage: nobody is left to tell of them.
    Gap {
        /// The stream whose log it is, or the id of its dead letters.
        log: StreamId,
        /// Their seqs.
        range: Range<u64>,
    },
    /// These seqs of a log belong to no record and never will: how many of them were given out before
    /// damage, or before an unclean stop in a weak sync mode, is not known. Every delivery has
    /// settled them.
    Jump {
        /// The stream whose log it is, or the id of its dead letters.
        log: StreamId,
        /// The seqs.
        range: Range<u64>,
    },
    /// Records were lost before a delivery had settled them. They count as settled from now on.
    /// Without effect on a delivery that is not known.
    Lost {
        /// The stream.
        stream: StreamId,
        /// The delivery.
        delivery: DeliveryId,
        /// Their seqs.
        range: Range<u64>,
    },
    /// A stream was purged: what is left of its directory may go, and nothing of it is damage.
    StreamRemoved {
        /// The stream.
        stream: StreamId,
    },
}
