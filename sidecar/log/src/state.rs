//! What Lifeboat knows about deliveries, folded from the operations in the state journal.
//!
//! Pure: no I/O, no clock. Every operation is idempotent and adds knowledge, or sets what it speaks
//! of ([`Op::Seeked`], [`Op::WeaklySynced`]), so that a replay which starts too early, or repeats
//! itself, ends in the same state. Knowledge that is missing means redelivery, never loss.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::ids::{DeliveryId, StreamId};
use crate::ranges::RangeSet;

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
        /// Its id, never used before in this stream (see [`StreamState::next_delivery`]).
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
    /// These seqs of a log belong to no record and never will: the start after an unclean stop in
    /// a weak sync mode goes on behind them.
    SeqsJumped {
        /// The stream whose log it is.
        log: StreamId,
        /// The seqs.
        seqs: Range<u64>,
    },
    /// Whether records of a log may have been seen that are not synced: true from the start in a
    /// weak sync mode until a stop in good order. The last one holds.
    WeaklySynced {
        /// The stream whose log it is.
        log: StreamId,
        /// Whether they may.
        weak: bool,
    },
    /// A stream was purged: what is left of its directory may go, and nothing of it is damage.
    StreamRemoved {
        /// The stream.
        stream: StreamId,
    },
}

/// What was tried with a record that is not settled.
///
/// Of two for one record the greater holds: a later hand-out knows of all earlier failures and
/// decides anew about suspicion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// Highest number of a hand-out, from 1.
    pub attempt: u32,
    /// Failures so far.
    pub failures: u32,
    /// Whether it has to be probed alone.
    pub suspect: bool,
}

/// One delivery: what it settled and what it tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryState {
    /// Its name in the contract file.
    pub name: String,
    /// Every record below is settled.
    pub cursor: u64,
    /// Settled seqs above the cursor; the cursor's own is never among them.
    pub settled: RangeSet,
    /// Unsettled records that were handed out or failed, by seq.
    pub attempts: BTreeMap<u64, Attempt>,
}

impl DeliveryState {
    /// Whether the record need not be delivered again.
    pub fn is_settled(&self, seq: u64) -> bool {
        seq < self.cursor || self.settled.contains(seq)
    }

    fn settle(&mut self, range: &Range<u64>) {
        let range = range.start.max(self.cursor)..range.end;
        if range.is_empty() {
            return;
        }
        while let Some((&seq, _)) = self.attempts.range(range.clone()).next() {
            self.attempts.remove(&seq);
        }
        self.settled.insert(range);
        self.cursor = self.settled.next_absent(self.cursor);
        self.settled.remove_below(self.cursor);
    }

    fn attempt(&mut self, seq: u64, attempt: Attempt) {
        if !self.is_settled(seq) {
            let known = self.attempts.entry(seq).or_default();
            *known = attempt.max(*known);
        }
    }
}

/// One stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamState {
    /// Its deliveries, those that the contract file no longer names included.
    pub deliveries: BTreeMap<DeliveryId, DeliveryState>,
    /// Ids of purged deliveries.
    pub removed_deliveries: RangeSet,
    /// Numbers of segments that were deleted on purpose.
    pub deleted_segments: RangeSet,
    /// Seqs that belong to no record; every delivery has settled them.
    pub jumped: RangeSet,
    /// Whether records may have been seen that are not synced.
    pub weakly_synced: bool,
}

impl StreamState {
    /// Whether every delivery, the ones that no file names any more included, has settled all of
    /// `seqs`. A stream that no delivery reads keeps everything.
    pub fn all_settled(&self, seqs: &Range<u64>) -> bool {
        let settled = |delivery: &DeliveryState| {
            let above = seqs.start.max(delivery.cursor)..seqs.end;
            above.is_empty() || delivery.settled.covers(&above)
        };
        !self.deliveries.is_empty() && self.deliveries.values().all(settled)
    }

    /// The seq above everything that any delivery has settled: the log must reach that far.
    pub fn settled_end(&self) -> u64 {
        let end = |delivery: &DeliveryState| {
            delivery.settled.iter().last().map_or(delivery.cursor, |range| range.end)
        };
        self.deliveries.values().map(end).max().unwrap_or(0)
    }

    /// An id that no delivery of this stream had yet.
    pub fn next_delivery(&self) -> DeliveryId {
        let highest = self.deliveries.keys().next_back().map_or(0, |id| id.0);
        let removed = self.removed_deliveries.iter().last().map_or(0, |range| range.end - 1);
        DeliveryId(highest.max(u32::try_from(removed).unwrap_or(u32::MAX)).saturating_add(1))
    }
}

/// The state of all streams of a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    streams: BTreeMap<StreamId, StreamState>,
    removed_streams: BTreeSet<StreamId>,
}

impl State {
    /// A stream, if anything is known about it.
    pub fn stream(&self, stream: StreamId) -> Option<&StreamState> {
        self.streams.get(&stream)
    }

    /// All streams that are not removed, in the order of their ids.
    pub fn streams(&self) -> impl Iterator<Item = (StreamId, &StreamState)> {
        self.streams.iter().map(|(id, stream)| (*id, stream))
    }

    /// Whether the stream was purged.
    pub fn is_removed(&self, stream: StreamId) -> bool {
        self.removed_streams.contains(&stream)
    }

    /// A delivery, if it is known.
    pub fn delivery(&self, stream: StreamId, delivery: DeliveryId) -> Option<&DeliveryState> {
        self.streams.get(&stream)?.deliveries.get(&delivery)
    }

    /// Adds what an operation says.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::DeliveryCreated { stream, delivery, name, cursor } => {
                let Some(known) = self.stream_mut(*stream) else { return };
                if known.removed_deliveries.contains(delivery.0.into()) {
                    return;
                }
                let new = || DeliveryState { name: name.clone(), ..DeliveryState::default() };
                let StreamState { deliveries, jumped, .. } = known;
                let created = deliveries.entry(*delivery).or_insert_with(new);
                created.settle(&(0..*cursor));
                jumped.iter().for_each(|seqs| created.settle(&seqs));
            }
            Op::DeliveryRemoved { stream, delivery } => {
                let Some(known) = self.stream_mut(*stream) else { return };
                known.deliveries.remove(delivery);
                let id = u64::from(delivery.0);
                known.removed_deliveries.insert(id..id + 1);
            }
            Op::Settled { stream, delivery, range } => {
                if let Some(known) = self.delivery_mut(*stream, *delivery) {
                    known.settle(range);
                }
            }
            Op::Seeked { stream, delivery, cursor } => {
                let Some(known) = self.streams.get_mut(stream) else { return };
                let StreamState { deliveries, jumped, .. } = known;
                if let Some(known) = deliveries.get_mut(delivery) {
                    let name = std::mem::take(&mut known.name);
                    *known = DeliveryState { name, cursor: *cursor, ..DeliveryState::default() };
                    jumped.iter().for_each(|seqs| known.settle(&seqs));
                }
            }
            Op::Attempt { stream, delivery, seq, attempt, failures, suspect } => {
                if let Some(known) = self.delivery_mut(*stream, *delivery) {
                    let (attempt, failures, suspect) = (*attempt, *failures, *suspect);
                    known.attempt(*seq, Attempt { attempt, failures, suspect });
                }
            }
            Op::SegmentsDeleted { log, numbers } => {
                if let Some(known) = self.stream_mut(*log) {
                    known.deleted_segments.insert(numbers.clone());
                }
            }
            Op::SeqsJumped { log, seqs } => {
                if let Some(known) = self.stream_mut(*log) {
                    known.jumped.insert(seqs.clone());
                    known.deliveries.values_mut().for_each(|delivery| delivery.settle(seqs));
                }
            }
            Op::WeaklySynced { log, weak } => {
                if let Some(known) = self.stream_mut(*log) {
                    known.weakly_synced = *weak;
                }
            }
            Op::StreamRemoved { stream } => {
                self.streams.remove(stream);
                self.removed_streams.insert(*stream);
            }
        }
    }

    /// Adds what several operations say, in order.
    pub fn apply_all<'a>(&mut self, ops: impl IntoIterator<Item = &'a Op>) {
        for op in ops {
            self.apply(op);
        }
    }

    /// Operations that rebuild this state from an empty one: what a snapshot holds.
    pub fn ops(&self) -> impl Iterator<Item = Op> + '_ {
        let removed = self.removed_streams.iter().map(|&stream| Op::StreamRemoved { stream });
        removed.chain(self.streams.iter().flat_map(|(&id, stream)| stream_ops(id, stream)))
    }

    /// The stream, made known if need be; `None` for a purged one.
    fn stream_mut(&mut self, stream: StreamId) -> Option<&mut StreamState> {
        if self.removed_streams.contains(&stream) {
            return None;
        }
        Some(self.streams.entry(stream).or_default())
    }

    fn delivery_mut(&mut self, stream: StreamId, id: DeliveryId) -> Option<&mut DeliveryState> {
        self.streams.get_mut(&stream)?.deliveries.get_mut(&id)
    }
}

fn stream_ops(stream: StreamId, state: &StreamState) -> impl Iterator<Item = Op> + '_ {
    let deleted = state.deleted_segments.iter();
    let deleted = deleted.map(move |numbers| Op::SegmentsDeleted { log: stream, numbers });
    let jumped = state.jumped.iter().map(move |seqs| Op::SeqsJumped { log: stream, seqs });
    let weak = state.weakly_synced.then_some(Op::WeaklySynced { log: stream, weak: true });
    let removed = state.removed_deliveries.iter().flatten();
    let removed = removed.filter_map(|id| u32::try_from(id).ok());
    let removed = removed.map(move |id| Op::DeliveryRemoved { stream, delivery: DeliveryId(id) });
    let deliveries = state.deliveries.iter();
    deleted
        .chain(jumped)
        .chain(weak)
        .chain(removed)
        .chain(deliveries.flat_map(move |(&id, one)| delivery_ops(stream, id, one)))
}

fn delivery_ops(
    stream: StreamId,
    delivery: DeliveryId,
    state: &DeliveryState,
) -> impl Iterator<Item = Op> + '_ {
    let (name, cursor) = (state.name.clone(), state.cursor);
    let created = Op::DeliveryCreated { stream, delivery, name, cursor };
    let settled = state.settled.iter().map(move |range| Op::Settled { stream, delivery, range });
    let attempts = state.attempts.iter().map(move |(&seq, &tried)| {
        let Attempt { attempt, failures, suspect } = tried;
        Op::Attempt { stream, delivery, seq, attempt, failures, suspect }
    });
    std::iter::once(created).chain(settled).chain(attempts)
}

#[cfg(test)]
mod tests;
