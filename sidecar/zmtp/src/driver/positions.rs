//! Translates between bytes on the wire and bytes of the caller, who does not see the commands
//! that went out in between.

use std::collections::VecDeque;

/// More than so many runs of commands above the lowest position still of interest are merged.
const MAX_RUNS: usize = 64;

/// A run of command bytes on the wire.
#[derive(Debug, Clone, Copy)]
struct Run {
    at: u64,
    len: u64,
}

/// What was handed to the kernel since the handshake. Wire positions count all bytes, message
/// positions those of messages.
#[derive(Debug, Default)]
pub(super) struct Positions {
    wire: u64,
    messages: u64,
    /// Command bytes below the first run.
    below: u64,
    runs: VecDeque<Run>,
}

impl Positions {
    /// Message bytes went out.
    pub(super) fn wrote_messages(&mut self, bytes: u64) {
        self.wire += bytes;
        self.messages += bytes;
    }

    /// Command bytes went out.
    pub(super) fn wrote_command(&mut self, bytes: u64) {
        match self.runs.back_mut() {
            Some(run) if run.at + run.len == self.wire => run.len += bytes,
            _ => self.runs.push_back(Run { at: self.wire, len: bytes }),
        }
        self.wire += bytes;
        if self.runs.len() > MAX_RUNS {
            self.merge_lowest();
        }
    }

    /// All bytes that went out.
    pub(super) fn wire(&self) -> u64 {
        self.wire
    }

    /// Message bytes that went out.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// At least so many message bytes lie below `wire`. Forgets runs below: `wire` must not
    /// decrease from call to call.
    pub(super) fn messages_below(&mut self, wire: u64) -> u64 {
        while let Some(run) = self.runs.front().filter(|run| run.at + run.len <= wire) {
            self.below += run.len;
            self.runs.pop_front();
        }
        let partly = self.runs.front().map_or(0, |run| wire.saturating_sub(run.at).min(run.len));
        wire.saturating_sub(self.below + partly)
    }

    /// One run for the lowest two, placed at the lower: positions between are counted too low,
    /// never too high.
    fn merge_lowest(&mut self) {
        if let Some(lowest) = self.runs.pop_front()
            && let Some(next) = self.runs.front_mut()
        {
            next.len += lowest.len;
            next.at = lowest.at;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_are_not_counted() {
        let mut positions = Positions::default();
        positions.wrote_messages(10);
        positions.wrote_command(5);
        positions.wrote_command(3);
        positions.wrote_messages(7);
        assert_eq!((positions.wire(), positions.messages()), (25, 17));
        let at = |wire| {
            let mut positions = Positions::default();
            positions.wrote_messages(10);
            positions.wrote_command(8);
            positions.wrote_messages(7);
            positions.messages_below(wire)
        };
        assert_eq!(
            [at(0), at(9), at(10), at(14), at(18), at(19), at(25)],
            [0, 9, 10, 10, 10, 11, 17]
        );
    }

    proptest! {
        #[test]
        fn never_more_than_the_truth_and_exact_at_the_end(
            writes in prop::collection::vec((any::<bool>(), 1u64..20), 0..300),
            steps in prop::collection::vec(0u64..50, 0..60),
        ) {
            let (mut positions, mut wire) = (Positions::default(), Vec::new());
            for (command, bytes) in writes {
                if command { positions.wrote_command(bytes) } else { positions.wrote_messages(bytes) }
                wire.extend(std::iter::repeat_n(command, usize::try_from(bytes).unwrap()));
            }
            prop_assert!(positions.runs.len() <= MAX_RUNS);
            let mut at = 0;
            for step in steps {
                at = (at + step).min(wire.len() as u64);
                let truth = wire[..usize::try_from(at).unwrap()].iter().filter(|command| !**command).count();
                prop_assert!(positions.messages_below(at) <= truth as u64);
            }
            prop_assert_eq!(positions.messages_below(wire.len() as u64), positions.messages());
        }
    }
}
