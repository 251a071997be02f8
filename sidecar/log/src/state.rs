//! What Lifeboat knows about deliveries, folded from the operations in the state journal.
//!
//! Pure: no I/O, no clock. Every operation is idempotent and adds knowledge, or sets what it speaks
//! of ([`Op::Seeked`], [`Op::WeaklySynced`]), so that a replay which starts too early, or repeats
//! itself, ends in the same state. Knowledge that is missing means redelivery, never loss.

mod op;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::ids::{DeliveryId, StreamId};
use crate::ranges::RangeSet;
pub use op::Op;

/// Name of the delivery that holds a stream's records until their ids are copied. No file can name
/// one like that, and no application reads from it.
pub(crate) const IDS_HOLDER: &str = "$ids";

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
    /// Records that damage took before they were settled. They count as settled.
    pub lost: RangeSet,
}

impl DeliveryState {
    /// Whether the record need not be delivered again.
    pub fn is_settled(&self, seq: u64) -> bool {
        seq < self.cursor || self.settled.contains(seq)
    }

    /// Runs of `seqs` that are not settled.
    pub(crate) fn unsettled(&self, seqs: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let (mut from, end) = (seqs.start.max(self.cursor), seqs.end);
        std::iter::from_fn(move || {
            let start = self.settled.next_absent(from);
            from = self.settled.next_present(start).unwrap_or(u64::MAX).min(end);
            (start < from).then_some(start..from)
        })
    }

    /// Whether it only holds records until their ids are copied.
    pub(crate) fn holds_ids(&self) -> bool {
        self.name == IDS_HOLDER
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
    /// Records that were lost to damage.
    pub gaps: RangeSet,
    /// Seqs that belong to no record; every delivery has settled them.
    pub jumps: RangeSet,
    /// Whether records may have been seen that are not synced.
    pub weakly_synced: bool,
}

impl StreamState {
    /// Those that somebody reads from, or may again.
    fn readers(&self) -> impl Iterator<Item = &DeliveryState> {
        self.deliveries.values().filter(|delivery| !delivery.holds_ids())
    }

    /// Whether every delivery, the ones that no file names any more included, has settled all of
    /// `seqs`. A stream that nobody reads keeps everything.
    pub fn all_settled(&self, seqs: &Range<u64>) -> bool {
        let settled = |delivery: &DeliveryState| {
            let above = seqs.start.max(delivery.cursor)..seqs.end;
            above.is_empty() || delivery.settled.covers(&above)
        };
        self.readers().next().is_some() && self.deliveries.values().all(settled)
    }

    /// The seq above every record that any delivery has settled: the log must reach that far.
    pub fn settled_end(&self) -> u64 {
        let end = |delivery: &DeliveryState| {
            delivery.settled.last().map_or(delivery.cursor, |range| range.end)
        };
        let end = self.deliveries.values().map(end).max().unwrap_or(0);
        // What was settled without a record tells nothing of the log.
        let jump = end.checked_sub(1).and_then(|last| self.jumps.range_of(last));
        jump.map_or(end, |jump| jump.start)
    }

    /// Runs of `seqs` that at least one delivery has not settled; without deliveries all that may
    /// be records. A record that is held for its id alone is settled.
    pub fn unsettled(&self, seqs: &Range<u64>) -> Vec<Range<u64>> {
        let mut unsettled = RangeSet::new();
        if self.readers().next().is_none() {
            unsettled.insert(seqs.clone());
            self.jumps.iter().for_each(|jump| unsettled.remove(jump));
        }
        for delivery in self.readers() {
            delivery.unsettled(seqs.clone()).for_each(|range| unsettled.insert(range));
        }
        unsettled.iter().collect()
    }

    /// Adds what an operation says of the log.
    fn apply(&mut self, op: &Op) {
        match op {
            Op::SegmentsDeleted { numbers, .. } => self.deleted_segments.insert(numbers.clone()),
            Op::Gap { range, .. } => self.gaps.insert(range.clone()),
            Op::Jump { range, .. } => {
                self.jumps.insert(range.clone());
                self.deliveries.values_mut().for_each(|delivery| delivery.settle(range));
            }
            Op::WeaklySynced { weak, .. } => self.weakly_synced = *weak,
            _ => {}
        }
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
                let StreamState { deliveries, jumps, .. } = known;
                let created = deliveries.entry(*delivery).or_insert_with(new);
                created.settle(&(0..*cursor));
                jumps.iter().for_each(|seqs| created.settle(&seqs));
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
                let StreamState { deliveries, jumps, .. } = known;
                if let Some(known) = deliveries.get_mut(delivery) {
                    let (name, lost) =
                        (std::mem::take(&mut known.name), std::mem::take(&mut known.lost));
                    *known = DeliveryState { name, cursor: *cursor, ..DeliveryState::default() };
                    jumps.iter().chain(lost.iter()).for_each(|seqs| known.settle(&seqs));
                    known.lost = lost;
                }
            }
            Op::Attempt { stream, delivery, seq, attempt, failures, suspect } => {
                if let Some(known) = self.delivery_mut(*stream, *delivery) {
                    let (attempt, failures, suspect) = (*attempt, *failures, *suspect);
                    known.attempt(*seq, Attempt { attempt, failures, suspect });
                }
            }
            Op::SegmentsDeleted { log, .. }
            | Op::Gap { log, .. }
            | Op::Jump { log, .. }
            | Op::WeaklySynced { log, .. } => {
                if let Some(known) = self.stream_mut(*log) {
                    known.apply(op);
                }
            }
            Op::Lost { stream, delivery, range } => {
                if let Some(known) = self.delivery_mut(*stream, *delivery) {
                    known.lost.insert(range.clone());
                    known.settle(range);
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
    let weak = state.weakly_synced.then_some(Op::WeaklySynced { log: stream, weak: true });
    let removed = state.removed_deliveries.iter().flatten();
    let removed = removed.filter_map(|id| u32::try_from(id).ok());
    let removed = removed.map(move |id| Op::DeliveryRemoved { stream, delivery: DeliveryId(id) });
    let deliveries = state.deliveries.iter();
    let gaps = state.gaps.iter().map(move |range| Op::Gap { log: stream, range });
    let jumps = state.jumps.iter().map(move |range| Op::Jump { log: stream, range });
    deleted
        .chain(gaps)
        .chain(jumps)
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
    let lost = state.lost.iter().map(move |range| Op::Lost { stream, delivery, range });
    std::iter::once(created).chain(settled).chain(lost).chain(attempts)
}

#[cfg(test)]
mod tests;
