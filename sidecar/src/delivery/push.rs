//! A PUSH delivery: applications that cannot acknowledge, so it counts what they have taken.
//!
//! Every record below `published_end` is settled, fresh, due again, or with one connection: assigned
//! to it, or sent and in its [`trail`](super::trail). There are no attempts and no dead letters. A
//! pure state machine, as in [`lease`](super::lease).

mod seek;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod twin;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use lifeboat_log::ranges::RangeSet;

use super::Effects;
use super::cursor::Cursor;
use super::trail::{Trail, TrailPolicy};

/// Where a PUSH delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushFigures {
    /// Everything below is settled.
    pub cursor: u64,
    /// Above everything that was given to a connection.
    pub delivered_end: u64,
    /// Records with a connection, its trail included.
    pub in_flight: u64,
    /// Records below `published_end` that are not settled, in whatever state.
    pub unsettled: u64,
    /// The lowest of them.
    pub oldest_unsettled: Option<u64>,
    /// Records that were given to a connection after another had them, since the start.
    pub redelivered: u64,
}

/// The state machine.
#[derive(Debug)]
pub struct PushCursor {
    policy: TrailPolicy,
    cursor: Cursor,
    /// Fresh records are from here on.
    next_fresh: u64,
    /// Records whose connection is gone.
    due: RangeSet,
    connections: BTreeMap<u64, Connection>,
    redelivered: u64,
    /// Scratch space of a step, empty between steps.
    scratch: Vec<Range<u64>>,
}

#[derive(Debug, Default)]
struct Connection {
    /// Taken from the delivery and not yet sent.
    assigned: RangeSet,
    trail: Trail,
    /// Bytes sent since the last record that are of no record.
    between: u32,
}

impl PushCursor {
    /// Starts from the journal: everything below `cursor` and everything in `settled` is settled,
    /// and all the rest is to be delivered.
    pub fn new(policy: TrailPolicy, cursor: u64, settled: RangeSet) -> Self {
        let cursor = Cursor::new(cursor, settled);
        Self {
            policy,
            next_fresh: cursor.position(),
            cursor,
            due: RangeSet::new(),
            connections: BTreeMap::new(),
            redelivered: 0,
            scratch: Vec::new(),
        }
    }

    /// Another trail from now on.
    pub fn set_policy(&mut self, policy: TrailPolicy) {
        self.policy = policy;
    }

    /// A connection is ready for records. Its wire positions count from its next byte.
    pub fn connect(&mut self, connection: u64) {
        self.connections.entry(connection).or_default();
    }

    /// Gives `connection` the next run of records, what is due again first: at most `max_records`,
    /// and about its share of what is waiting. They are its own from now on, whether sent or not.
    pub fn take(
        &mut self,
        connection: u64,
        published_end: u64,
        max_records: u64,
    ) -> Option<Range<u64>> {
        let max = self.share(published_end).min(max_records);
        let taker = self.connections.get_mut(&connection)?;
        if max == 0 {
            return None;
        }
        let due = self.due.first().filter(|due| due.start < published_end);
        let waiting = match due {
            Some(due) => due.start..due.end.min(published_end),
            None => self.cursor.next_unsettled(self.next_fresh..published_end)?,
        };
        let run = waiting.start..waiting.end.min(waiting.start.saturating_add(max));
        if run.start < self.next_fresh {
            self.due.remove(run.clone());
            self.redelivered += run.end - run.start;
        } else {
            self.next_fresh = run.end;
        }
        taker.assigned.insert(run.clone());
        debug_assert!(
            self.cursor.position() <= self.next_fresh && self.next_fresh <= published_end
        );
        Some(run)
    }

    /// `connection` has given records that it took to its socket: consecutive ones from `first` on,
    /// each as so many bytes.
    pub fn sent(&mut self, connection: u64, first: u64, sizes: impl IntoIterator<Item = u32>) {
        if let Some(sender) = self.connections.get_mut(&connection) {
            let seqs = sender.trail.push(first, sizes, std::mem::take(&mut sender.between));
            sender.assigned.remove(seqs);
        }
    }

    /// `connection` has given bytes that are of no record to its socket: a heartbeat.
    pub fn sent_other(&mut self, connection: u64, bytes: u32) {
        if let Some(sender) = self.connections.get_mut(&connection) {
            sender.between = sender.between.saturating_add(bytes);
        }
    }

    /// `connection` will not send what it took and has not sent: it is due for any of them.
    pub fn give_back(&mut self, connection: u64) {
        if let Some(giver) = self.connections.get_mut(&connection) {
            let assigned = std::mem::take(&mut giver.assigned);
            assigned.iter().for_each(|seqs| self.make_due(seqs));
        }
    }

    /// The peer of `connection` has taken every byte up to `taken_position`, and the connection was
    /// seen alive after that was measured. To be called for the time alone, too, when
    /// [`next_deadline`](Self::next_deadline) has come.
    pub fn progress(
        &mut self,
        connection: u64,
        taken_position: u64,
        now: Instant,
        effects: &mut Effects,
    ) {
        let Some(peer) = self.connections.get_mut(&connection) else { return };
        let mut overtaken = std::mem::take(&mut self.scratch);
        peer.trail.progress(taken_position, now, self.policy, &mut overtaken);
        for seqs in overtaken.drain(..) {
            self.settle(seqs, effects);
        }
        self.scratch = overtaken;
    }

    /// When the trail of `connection` has something to settle by time alone.
    pub fn next_deadline(&self, connection: u64) -> Option<Instant> {
        self.connections.get(&connection)?.trail.next_deadline(self.policy)
    }

    /// The connection is gone: what it had and what is in its trail is due again.
    pub fn disconnect(&mut self, connection: u64) {
        self.give_back(connection);
        if let Some(gone) = self.connections.remove(&connection) {
            gone.trail.into_unsettled().for_each(|seqs| self.make_due(seqs));
        }
    }

    /// Settles what no application needs to settle: a recorded gap, records that retention took or
    /// an operator discarded. Returns how many were not settled before.
    pub fn skip(&mut self, seqs: Range<u64>, effects: &mut Effects) -> u64 {
        self.due.remove(seqs.clone());
        for connection in self.connections.values_mut() {
            connection.assigned.remove(seqs.clone());
        }
        self.settle(seqs, effects)
    }

    /// The record that [`take`](Self::take) would begin with.
    pub fn next(&self, published_end: u64) -> Option<u64> {
        match self.due.first().filter(|due| due.start < published_end) {
            Some(due) => Some(due.start),
            None => Some(self.cursor.next_unsettled(self.next_fresh..published_end)?.start),
        }
    }

    /// Whether the connection was sent something that its peer has not read.
    pub fn has_untaken(&self, connection: u64) -> bool {
        self.connections.get(&connection).is_some_and(|peer| peer.trail.has_untaken())
    }

    /// What is settled.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Records that were taken again, so far.
    pub fn redelivered(&self) -> u64 {
        self.redelivered
    }

    /// Where the delivery stands.
    pub fn figures(&self, published_end: u64) -> PushFigures {
        let unsettled = self.cursor.unsettled_within(&(0..published_end));
        let in_flight = self.connections.values();
        PushFigures {
            cursor: self.cursor.position(),
            delivered_end: self.next_fresh,
            in_flight: in_flight.map(|held| held.assigned.len() + held.trail.len() as u64).sum(),
            unsettled,
            oldest_unsettled: (unsettled > 0).then_some(self.cursor.position()),
            redelivered: self.redelivered,
        }
    }

    fn settle(&mut self, seqs: Range<u64>, effects: &mut Effects) -> u64 {
        let settled = self.cursor.settle(seqs, |run| effects.settled(run));
        // The cursor may have met records that were settled ahead of all deliveries.
        self.next_fresh = self.next_fresh.max(self.cursor.position());
        settled
    }

    /// The most that one connection may take at once: an equal part of what is waiting.
    fn share(&self, published_end: u64) -> u64 {
        let fresh = self.cursor.unsettled_within(&(self.next_fresh..published_end));
        (fresh + self.due.len()).div_ceil(self.connections.len().max(1) as u64)
    }

    /// Has `seqs` delivered again, without what was settled meanwhile.
    fn make_due(&mut self, seqs: Range<u64>) {
        let Self { cursor, due, .. } = self;
        cursor.for_each_unsettled(seqs, |run| due.insert(run));
    }
}
