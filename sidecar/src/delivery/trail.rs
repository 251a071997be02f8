//! What one PULL application was sent and may still lose: the records on their way to it, and the
//! trail of those that its libzmq has taken from the socket but may not have handed on yet.
//!
//! A PULL cannot acknowledge. Its libzmq reads ahead: as many messages as its receive high-water
//! mark, one more, and an 8 KiB decoder buffer full of those after them. So a record that it has
//! *taken* is *settled* when it has also taken the `messages + 1` records after it and 8,192 bytes
//! after those, or when it has stayed for `time` since. This knows neither the
//! cursor nor other connections.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Bytes that libzmq's decoder reads ahead of the messages it has handed on.
pub const DECODER_BUFFER: u64 = 8192;

/// Marks in which `time` is told apart: a record is settled late by at most this part of it.
const MARKS: u32 = 64;

/// How long a trail is kept behind a PULL application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrailPolicy {
    /// The receive high-water mark that the application is assumed to have.
    pub messages: u64,
    /// After this time on a live connection the application is assumed to have received it.
    pub time: Duration,
}

/// The records sent on one connection and not settled, in the order of the wire.
///
/// Costs 4 bytes a record. Three points move along it, each counted in records from the front.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// Seqs of the records, by run.
    seqs: VecDeque<Range<u64>>,
    /// Bytes from the end of the record before to the end of this one.
    sizes: VecDeque<u32>,
    /// Wire position of the front.
    start: u64,
    /// Taken: the last byte is at or below the position that the peer has reached.
    taken: Point,
    /// Further than a decoder buffer behind the end of the last record taken.
    out_of_decoder: Point,
    /// When records were taken, oldest first.
    marks: VecDeque<Mark>,
}

/// A number of records from the front, and the wire position where the last of them ends.
#[derive(Debug, Default, Clone, Copy)]
struct Point {
    records: usize,
    position: u64,
}

/// Records taken within a short time.
#[derive(Debug)]
struct Mark {
    first: Instant,
    last: Instant,
    records: usize,
}

impl Trail {
    /// Adds records that were given to the socket, consecutive from `first` on, and the bytes of
    /// each; `between` bytes that are of no record (a heartbeat) went before them. Returns which.
    pub(super) fn push(
        &mut self,
        first: u64,
        sizes: impl IntoIterator<Item = u32>,
        between: u32,
    ) -> Range<u64> {
        let before = self.sizes.len();
        self.sizes.extend(sizes);
        if let Some(size) = self.sizes.get_mut(before) {
            *size = size.saturating_add(between);
        }
        let seqs = first..first + (self.sizes.len() - before) as u64;
        match self.seqs.back_mut() {
            Some(last) if last.end == first => last.end = seqs.end,
            _ => self.seqs.push_back(seqs.clone()),
        }
        seqs
    }

    /// The peer has taken all bytes up to `position`. Appends what that settles to `settled`.
    pub(super) fn progress(
        &mut self,
        position: u64,
        now: Instant,
        policy: TrailPolicy,
        settled: &mut Vec<Range<u64>>,
    ) {
        let before = self.taken.records;
        self.taken.advance(&self.sizes, position);
        let behind = self.taken.position.checked_sub(DECODER_BUFFER);
        if let Some(behind) = behind {
            self.out_of_decoder.advance(&self.sizes, behind);
        }
        self.mark(self.taken.records - before, now, policy.time);

        let prefetched = usize::try_from(policy.messages.saturating_add(1)).unwrap_or(usize::MAX);
        let overtaken = self.out_of_decoder.records.saturating_sub(prefetched);
        self.settle(overtaken.max(self.aged(now, policy.time)), settled);
    }

    /// When [`progress`](Self::progress) has something to settle by time alone.
    pub(super) fn next_deadline(&self, policy: TrailPolicy) -> Option<Instant> {
        self.marks.front().map(|mark| mark.last + policy.time)
    }

    /// Forgets the records and keeps the place on the wire: whatever the peer takes of them, nothing
    /// follows from it.
    pub(super) fn forget(&mut self) {
        let sent: u64 = self.sizes.drain(..).map(u64::from).sum();
        let start = self.start + sent;
        let point = Point { records: 0, position: start };
        *self = Self { start, taken: point, out_of_decoder: point, ..Self::default() };
    }

    /// Everything that is not settled, in the order of the wire.
    pub(super) fn into_unsettled(self) -> impl Iterator<Item = Range<u64>> {
        self.seqs.into_iter()
    }

    /// Records sent and not settled.
    pub(super) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Whether the peer has yet to read some of it.
    pub(super) fn has_untaken(&self) -> bool {
        self.taken.records < self.sizes.len()
    }

    fn mark(&mut self, records: usize, now: Instant, time: Duration) {
        if records == 0 {
            return;
        }
        match self.marks.back_mut() {
            Some(mark) if now.saturating_duration_since(mark.first) < time / MARKS => {
                mark.last = mark.last.max(now);
                mark.records += records;
            }
            _ => self.marks.push_back(Mark { first: now, last: now, records }),
        }
    }

    /// Records from the front that were taken `time` ago.
    fn aged(&self, now: Instant, time: Duration) -> usize {
        let old = |mark: &&Mark| mark.last + time <= now;
        self.marks.iter().take_while(old).map(|mark| mark.records).sum()
    }

    /// Takes `records` off the front.
    fn settle(&mut self, records: usize, settled: &mut Vec<Range<u64>>) {
        if records == 0 {
            return;
        }
        self.start += self.sizes.drain(..records).map(u64::from).sum::<u64>();
        for point in [&mut self.taken, &mut self.out_of_decoder] {
            point.records = point.records.saturating_sub(records);
            point.position = point.position.max(self.start);
        }
        let mut left = records;
        while left > 0
            && let Some(mark) = self.marks.front_mut()
        {
            let part = left.min(mark.records);
            mark.records -= part;
            left -= part;
            if mark.records == 0 {
                self.marks.pop_front();
            }
        }
        let mut left = records as u64;
        while left > 0
            && let Some(run) = self.seqs.front_mut()
        {
            let end = run.end.min(run.start + left);
            left -= end - run.start;
            settled.push(run.start..end);
            run.start = end;
            if run.is_empty() {
                self.seqs.pop_front();
            }
        }
    }
}

impl Point {
    /// Moves over every record that ends at or below `limit`.
    fn advance(&mut self, sizes: &VecDeque<u32>, limit: u64) {
        for size in sizes.range(self.records..) {
            let end = self.position + u64::from(*size);
            if end > limit {
                break;
            }
            self.position = end;
            self.records += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: TrailPolicy = TrailPolicy { messages: 1000, time: Duration::from_secs(60) };

    /// Sends `count` records of `size` bytes and has all of them taken at once: how many remain.
    fn left_of(count: u32, size: u32) -> u64 {
        let mut trail = Trail::default();
        trail.push(0, (0..count).map(|_| size), 0);
        let mut settled = Vec::new();
        trail.progress(u64::from(count) * u64::from(size), Instant::now(), POLICY, &mut settled);
        let left = trail.len() as u64;
        assert_eq!(settled, vec![0..u64::from(count) - left]);
        left
    }

    #[test]
    fn the_trail_covers_what_libzmq_was_measured_to_prefetch() {
        // Bodies of 0, 16 and 100 bytes with two bytes of frame header, on a PULL that reads
        // nothing: 4,980, 1,428 and 1,060 records.
        for (size, prefetched) in [(2, 4980), (18, 1428), (102, 1060)] {
            let left = left_of(20_000, size);
            assert!(
                (prefetched..prefetched + 130).contains(&left),
                "{left} records of {size} bytes"
            );
        }
        // Larger than the decoder's buffer: one more is in its hands.
        assert_eq!(left_of(2000, 100_000), 1002);
    }

    #[test]
    fn a_record_is_taken_when_its_last_byte_is() {
        let mut trail = Trail::default();
        trail.push(5, [10, 20, 30], 0);
        for (position, taken) in [(0, 0), (9, 0), (10, 1), (29, 1), (30, 2), (59, 2), (60, 3)] {
            trail.progress(position, Instant::now(), POLICY, &mut Vec::new());
            assert_eq!(trail.taken.records, taken, "at {position}");
        }
    }

    #[test]
    fn a_position_that_falls_back_takes_nothing_back() {
        let mut trail = Trail::default();
        trail.push(0, [10, 10], 0);
        trail.progress(10, Instant::now(), POLICY, &mut Vec::new());
        trail.progress(0, Instant::now(), POLICY, &mut Vec::new());
        assert_eq!(trail.taken.records, 1);
    }

    #[test]
    fn bytes_between_records_shift_the_positions_behind_them() {
        let mut trail = Trail::default();
        trail.push(0, [10], 0);
        trail.push(1, [10, 10], 7);
        for (position, taken) in [(26, 1), (27, 2), (36, 2), (37, 3)] {
            trail.progress(position, Instant::now(), POLICY, &mut Vec::new());
            assert_eq!(trail.taken.records, taken, "at {position}");
        }
    }

    #[test]
    fn time_settles_what_was_taken_and_only_that() {
        let (mut trail, start, mut settled) = (Trail::default(), Instant::now(), Vec::new());
        let after = |seconds| start + Duration::from_secs(seconds);
        trail.push(0, [10, 10, 10], 0);
        trail.progress(10, start, POLICY, &mut settled);
        trail.progress(20, after(30), POLICY, &mut settled);
        assert_eq!(trail.next_deadline(POLICY), Some(after(60)));
        trail.progress(20, after(59), POLICY, &mut settled);
        assert_eq!(settled, []);
        trail.progress(20, after(60), POLICY, &mut settled);
        assert_eq!(settled.last(), Some(&(0..1)));
        trail.progress(20, after(500), POLICY, &mut settled);
        assert_eq!(settled, [0..1, 1..2]);
        assert_eq!((trail.len(), trail.next_deadline(POLICY)), (1, None));
        assert_eq!(trail.into_unsettled().next(), Some(2..3));
    }

    #[test]
    fn records_that_share_a_mark_wait_for_the_last_of_them() {
        let (mut trail, start, mut settled) = (Trail::default(), Instant::now(), Vec::new());
        let after = |millis| start + Duration::from_millis(millis);
        trail.push(0, [10, 10], 0);
        trail.progress(10, start, POLICY, &mut settled);
        trail.progress(20, after(900), POLICY, &mut settled);
        trail.progress(20, after(60_899), POLICY, &mut settled);
        assert_eq!(settled, []);
        trail.progress(20, after(60_900), POLICY, &mut settled);
        assert_eq!(settled.last(), Some(&(0..2)));
    }

    #[test]
    fn marks_stay_few_however_often_progress_is_told() {
        let (mut trail, start) = (Trail::default(), Instant::now());
        for tick in 0..60_000 {
            trail.push(tick, [2], 0);
            trail.progress(
                2 * (tick + 1),
                start + Duration::from_millis(tick),
                POLICY,
                &mut Vec::new(),
            );
            assert!(trail.marks.len() as u64 <= u64::from(MARKS) + 1);
        }
    }
}
