//! How old records are, by a wall clock that may jump. Pure: time is an argument.
//!
//! Records carry the wall time of their commit. A wall clock that jumps forward would make all of
//! them old at once, so it is watched beside the monotonic one, and what it jumped is taken off the
//! age of the records from before. An error is always to the side of keeping: after a jump back
//! records count as younger than they are. Across a restart the wall clock is believed.

use std::time::{Duration, Instant};

use crate::committer::Now;

/// Less is no jump: the wall clock may be set by so much at a time.
const TOLERANCE: Duration = Duration::from_millis(500);
/// ... and by so much of the time that has passed: NTP slews by 500 ppm at most.
const DRIFT: u32 = 1_000;

/// Watches the clocks.
#[derive(Debug, Default)]
pub(crate) struct AgeClock {
    last: Option<Now>,
    /// Jumps forward that still matter, oldest first.
    jumps: Vec<Jump>,
}

/// A jump of the wall clock.
#[derive(Debug, Clone, Copy)]
struct Jump {
    /// Wall time after it: no record from before has a later time.
    at: u64,
    /// By how much, in nanoseconds.
    by: u64,
}

impl AgeClock {
    /// Looks at the clocks.
    pub(crate) fn observe(&mut self, now: Now) {
        if let Some(last) = self.last.replace(now) {
            let passed = now.instant.saturating_duration_since(last.instant);
            let expected = last.unix_nanos.saturating_add(nanos(passed));
            let tolerance = nanos(TOLERANCE + passed / DRIFT);
            if now.unix_nanos > expected.saturating_add(tolerance) {
                self.jumps.push(Jump { at: now.unix_nanos, by: now.unix_nanos - expected });
            } else if now.unix_nanos.saturating_add(tolerance) < expected {
                self.jumped_back(expected - now.unix_nanos);
            }
        }
    }

    /// When they were last looked at.
    pub(crate) fn now(&self) -> Option<Instant> {
        self.last.map(|now| now.instant)
    }

    /// Records of an earlier commit time than this are older than `age`.
    pub(crate) fn cutoff(&self, age: Duration) -> u64 {
        let now = self.last.map_or(0, |now| now.unix_nanos);
        let mut cutoff = now.saturating_sub(nanos(age));
        for jump in self.jumps.iter().rev() {
            if cutoff >= jump.at {
                break;
            }
            cutoff = cutoff.saturating_sub(jump.by);
        }
        cutoff
    }

    /// How long until records of this commit time are older than `age`, as things stand.
    pub(crate) fn until_older(&self, time: u64, age: Duration) -> Duration {
        Duration::from_nanos(time.saturating_sub(self.cutoff(age)))
    }

    /// A jump back undoes jumps forward.
    fn jumped_back(&mut self, mut by: u64) {
        while by > 0
            && let Some(jump) = self.jumps.last_mut()
        {
            let undone = by.min(jump.by);
            (jump.by, by) = (jump.by - undone, by - undone);
            if jump.by == 0 {
                self.jumps.pop();
            }
        }
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    const HOUR: u64 = 3600 * 1_000_000_000;
    const START: u64 = 20_000 * 24 * HOUR;
    const AGE: Duration = Duration::from_secs(3600);

    #[test]
    fn without_jumps_a_record_is_old_when_its_time_has_passed() {
        let mut clock = AgeClock::default();
        let instant = Instant::now();
        clock.observe(Now { instant, unix_nanos: START });
        assert_eq!(clock.cutoff(AGE), START - HOUR);
        clock.observe(Now { instant: instant + AGE, unix_nanos: START + HOUR });
        assert_eq!(clock.cutoff(AGE), START);
        assert_eq!(clock.until_older(START + 7, AGE), Duration::from_nanos(7));
    }

    #[test]
    fn a_jump_that_is_undone_leaves_no_trace() {
        let mut clock = AgeClock::default();
        let instant = Instant::now();
        for unix_nanos in [START, START + 24 * HOUR, START] {
            clock.observe(Now { instant, unix_nanos });
        }
        assert_eq!(clock.cutoff(AGE), START - HOUR);
        assert!(clock.jumps.is_empty());
    }

    proptest! {
        /// Records are committed every so often, with times that never fall, while the wall clock
        /// jumps by up to a day in either direction: none is old before it is.
        #[test]
        fn nothing_is_old_early(steps in prop::collection::vec((0u64..120, -24i64..=24, any::<bool>()), 1..60)) {
            let (mut clock, origin) = (AgeClock::default(), Instant::now());
            let (mut passed, mut wall, mut newest) = (Duration::ZERO, START, 0);
            let mut records: Vec<(u64, Duration)> = Vec::new();
            for (minutes, jump, jumps) in steps {
                let step = Duration::from_secs(minutes * 60);
                passed += step;
                wall += nanos(step);
                if jumps {
                    wall = wall.checked_add_signed(jump * HOUR.cast_signed()).unwrap();
                }
                clock.observe(Now { instant: origin + passed, unix_nanos: wall });
                let cutoff = clock.cutoff(AGE);
                for &(time, at) in &records {
                    prop_assert!(time >= cutoff || passed >= at + AGE, "{time} of {at:?} at {passed:?}");
                }
                newest = wall.max(newest);
                records.push((newest, passed));
            }
        }
    }
}
