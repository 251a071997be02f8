//! What a log does about damage: it is mended, or it stops, as the user wants it.

use std::sync::{Arc, Weak};

use event_listener::EventListener;

use super::{LogHandle, OnDamage};
use crate::error::LogError;
use crate::fate::{Fate, Refusal};
use crate::holes::Holes;
use crate::mend::{Accepted, Authority};
use crate::orders::Orders;
use crate::segment;
use crate::view::SegmentView;

/// What an error of a reader is about.
enum Damaged {
    /// A segment of this log, and whether that is news.
    Segment(bool),
    /// A segment that was deleted meanwhile: nobody needs what was in it.
    Gone,
    /// Something else.
    Other,
}

impl LogHandle {
    /// Seqs below the published end that hold no record, and why.
    pub fn holes(&self) -> Holes {
        let view = self.view();
        let mut holes = view.holes.clone();
        holes.retired.insert(0..view.marks.published_end);
        for (&base, segment) in &view.segments {
            holes.retired.remove(base..segment.end_seq().unwrap_or(u64::MAX));
        }
        for damaged in view.holes.gaps.iter().chain(view.holes.jumps.iter()) {
            holes.retired.remove(damaged);
        }
        holes
    }

    /// Completes when [`Self::holes`] may have changed. Take the listener, look, then wait.
    pub fn mended(&self) -> EventListener {
        self.mended.listen()
    }

    /// A reader cannot go on: the log is mended, or it stops, as the user wants it. Where what it read
    /// was deleted meanwhile, it has only to look again. Answers whether this is news.
    pub fn damaged(&self, error: &LogError) -> bool {
        let damaged = self.suspect(error);
        match (&damaged, self.on_damage) {
            (Damaged::Gone, _) => self.update(|_| ()),
            (Damaged::Segment(_), OnDamage::SkipWithGap) if !self.is_stopped() => {
                self.order_mending(Authority::Policy);
            }
            _ => self.stop(error),
        }
        matches!(damaged, Damaged::Segment(true) | Damaged::Other)
    }

    /// Damage was found that no reader has met: it is reported, and mended if the user wants that.
    pub fn found_damage(&self, error: &LogError) {
        let mends = self.on_damage == OnDamage::SkipWithGap;
        if matches!(self.suspect(error), Damaged::Segment(_)) && mends {
            self.order_mending(Authority::Policy);
        }
    }

    /// An operator accepts that what is damaged is lost: it is mended, and the log goes on. The fate
    /// says what that cost.
    pub fn accept_gap(&self) -> Arc<Fate<Accepted>> {
        self.order_mending(Authority::Operator)
    }

    /// Has the writer mend it.
    pub(crate) fn order_mending(&self, authority: Authority) -> Arc<Fate<Accepted>> {
        let fate = self.mending.give(authority);
        self.queue.wake_writer();
        fate
    }

    /// The segments that nothing is written to any more. Whoever holds one keeps its file, so they are
    /// to be held one by one.
    pub(crate) fn sealed_segments(&self) -> Vec<Weak<SegmentView>> {
        let view = self.view();
        let sealed = view.segments.values().filter(|segment| segment.end_seq().is_some());
        sealed.map(Arc::downgrade).collect()
    }

    /// Whether the segment is still a part of the log.
    pub(crate) fn still_has(&self, segment: &Arc<SegmentView>) -> bool {
        self.view().segments.get(&segment.base_seq).is_some_and(|held| Arc::ptr_eq(held, segment))
    }

    /// Notes a damaged segment. Only news wake readers: one that met the damage would meet it again at
    /// once, and so on until it is mended.
    fn suspect(&self, error: &LogError) -> Damaged {
        let Some(path) = error.damaged_file() else { return Damaged::Other };
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(base_seq) = name.and_then(segment::parse_file_name) else {
            return Damaged::Other;
        };
        let why: Arc<str> = error.to_string().into();
        let is_new = {
            let mut view = self.view();
            if !view.segments.contains_key(&base_seq) {
                return Damaged::Gone;
            }
            view.marks.damage = Some(why);
            view.damaged.insert(base_seq)
        };
        if is_new {
            self.update(|_| ());
        }
        Damaged::Segment(is_new)
    }

    /// The order to mend, if there is one.
    pub(crate) fn mending(&self) -> &Orders<Authority, Accepted> {
        &self.mending
    }

    /// Something was mended.
    pub(crate) fn tell_mended(&self) {
        self.mended.notify(usize::MAX);
    }

    /// Stops the log: nothing more goes in, and status says why.
    pub(crate) fn stop(&self, why: &LogError) {
        self.close(Refusal::Stopped);
        let why: Arc<str> = why.to_string().into();
        self.update(|view| {
            view.marks.damage.get_or_insert_with(|| Arc::clone(&why));
            view.marks.stopped.get_or_insert(why);
        });
    }
}
