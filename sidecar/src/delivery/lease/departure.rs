//! What a connection leaves behind when it is gone.
//!
//! One that broke may have been broken by a record: its application crashes on it, and would crash
//! again, and take whatever else it holds along. Which record it was cannot be seen, so all that
//! were in flight become suspects, and each goes out alone. Only then does a broken connection say
//! something: that record has failed.

use std::ops::Range;
use std::time::Instant;

use super::window::End;
use super::{Leases, State, Track};
use crate::delivery::{Effects, JournalOp, Tries};

impl Leases {
    /// The connection is gone. What it held is due at once, uncounted; unless that was in good
    /// order, by `orderly` or by a credit of 0, they are suspects, and one that was a suspect
    /// already and alone has failed.
    pub fn disconnect(
        &mut self,
        connection: u64,
        orderly: bool,
        now: Instant,
        effects: &mut Effects,
    ) {
        let closed = self.windows.close(connection);
        effects.wake |= closed.wake;
        let mut left = closed.in_flight;
        let mut held = std::mem::take(&mut self.scratch);
        let mut tracks = self.tracked.iter();
        while left > 0
            && let Some((seqs, track)) = tracks.next()
        {
            if track.connection() == Some(connection) {
                left -= seqs.end - seqs.start;
                held.push((seqs, track));
            }
        }
        drop(tracks);
        for (seqs, track) in held.drain(..) {
            let Track { tries, state } = track;
            self.tracked.take(seqs.clone(), |_, _| ());
            // What waits for its sync has not been sent.
            let sent = !matches!(state, State::Unconfirmed { .. });
            match closed.end {
                End::Broken if sent && !orderly => self.suspect(seqs, tries, effects),
                End::BrokenByProbe if sent && !orderly => {
                    self.fail(seqs, tries, None, now, effects);
                }
                _ => self.make_due(seqs, tries, effects),
            }
        }
        self.scratch = held;
    }

    /// Marks `seqs`, which no longer have a track.
    fn suspect(&mut self, seqs: Range<u64>, tries: Tries, effects: &mut Effects) {
        let marked = Tries { suspect: true, ..tries };
        if !tries.suspect {
            self.counters.suspected += seqs.end - seqs.start;
            let marks = seqs.clone().map(|seq| JournalOp::Attempt { seq, tries: marked });
            effects.journal.extend(marks);
        }
        self.make_due(seqs, marked, effects);
    }
}
