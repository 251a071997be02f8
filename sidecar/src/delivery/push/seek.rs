//! Going on elsewhere, by an operator's order.

use lifeboat_log::ranges::RangeSet;

use super::PushCursor;
use crate::delivery::cursor::Cursor;
use crate::delivery::{Effects, JournalOp};

impl PushCursor {
    /// Goes on at `to`: everything below is settled, and everything from there on is to be delivered,
    /// but for the `holes` of the log. What connections have been sent counts for nothing any more.
    pub fn seek(&mut self, to: u64, holes: &RangeSet, effects: &mut Effects) {
        for connection in self.connections.values_mut() {
            connection.assigned = RangeSet::new();
            connection.trail.forget();
        }
        self.due = RangeSet::new();
        self.cursor = Cursor::new(to, RangeSet::new());
        effects.journal.push(JournalOp::Seeked(to));
        for hole in holes.iter() {
            self.cursor.settle(hole, |run| effects.settled(run));
        }
        self.next_fresh = self.cursor.position();
    }
}
