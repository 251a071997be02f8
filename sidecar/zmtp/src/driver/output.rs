//! What waits to be written: runs of whole messages, and commands that go between them.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Bytes, BytesMut};

use super::positions::Positions;
use super::stream::Stream;

/// Slices of one vectored write.
const SLICES: usize = 64;
/// Shorter runs are gathered where many wait: each by itself takes a few times its length in memory.
const SHORT: usize = 256;
/// Commands that may wait. A peer that asks for more PONGs than it reads gets no more.
const MAX_COMMANDS: usize = 1 << 10;

/// The output queue of one connection. Unbounded: the caller looks at [`Output::queued`].
#[derive(Debug, Default)]
pub(super) struct Output {
    runs: VecDeque<Bytes>,
    /// Short runs that come after those.
    gathered: BytesMut,
    /// Whether the front run is partly written: nothing may come between.
    inside_run: bool,
    commands: Vec<u8>,
    commands_written: usize,
    queued: usize,
    enqueued: u64,
    positions: Positions,
    /// Wire position up to which the peer is known to have read.
    taken: u64,
}

impl Output {
    /// Queues whole messages; returns the message position of their end.
    pub(super) fn push(&mut self, run: Bytes) -> u64 {
        self.enqueued += run.len() as u64;
        self.queued += run.len();
        if run.len() < SHORT && self.runs.len() >= SLICES {
            self.gathered.extend_from_slice(&run);
        } else if !run.is_empty() {
            self.end_gathering();
            self.runs.push_back(run);
        }
        self.enqueued
    }

    /// Makes one run of what was gathered.
    fn end_gathering(&mut self) {
        if !self.gathered.is_empty() {
            self.runs.push_back(std::mem::take(&mut self.gathered).freeze());
        }
    }

    /// Queues a command unless too many wait: `write` appends it.
    pub(super) fn push_command(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.commands.len() < MAX_COMMANDS {
            write(&mut self.commands);
        }
    }

    /// Message bytes not yet handed to the kernel.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queued == 0 && self.commands.is_empty()
    }

    /// Message bytes handed to the kernel.
    pub(super) fn written(&self) -> u64 {
        self.positions.messages()
    }

    /// Message bytes that the peer has read, at least. `unread` is the kernel's count of bytes that
    /// it has not; it counts for nothing when the peer turned out to be `gone` afterwards.
    pub(super) fn taken(&mut self, unread: u64, gone: bool) -> u64 {
        if !gone {
            // A small write can raise `unread` by more than its size, hence the maximum.
            self.taken = self.taken.max(self.positions.wire().saturating_sub(unread));
        }
        self.positions.messages_below(self.taken)
    }

    /// Copies what waits.
    pub(super) fn detach(&mut self) {
        for run in &mut self.runs {
            *run = Bytes::copy_from_slice(run);
        }
    }

    /// Drops all that waits, after a failed write.
    pub(super) fn discard(&mut self) {
        self.runs.clear();
        self.gathered.clear();
        self.commands.clear();
        (self.inside_run, self.commands_written, self.queued) = (false, 0, 0);
    }

    /// Writes once, as much as the kernel takes. Returns the bytes written.
    pub(super) fn write_to(&mut self, stream: &Stream) -> io::Result<usize> {
        self.refill();
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.fill(&mut slices);
        let written = stream.try_write(&slices[..count])?;
        self.advance(written);
        Ok(written)
    }

    /// Lets what was gathered follow once one write can take it.
    fn refill(&mut self) {
        if self.runs.len() < SLICES {
            self.end_gathering();
        }
    }

    fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES]) -> usize {
        let first = usize::from(self.inside_run);
        let commands = &self.commands[self.commands_written..];
        let order = self.runs.iter().take(first).map(|run| &run[..]);
        let order = order.chain((!commands.is_empty()).then_some(commands));
        let order = order.chain(self.runs.iter().skip(first).map(|run| &run[..]));
        let mut count = 0;
        for (slot, bytes) in slices.iter_mut().zip(order) {
            *slot = IoSlice::new(bytes);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut written: usize) {
        if self.inside_run {
            written -= self.advance_run(written);
        }
        if !self.inside_run && !self.commands.is_empty() {
            let count = written.min(self.commands.len() - self.commands_written);
            self.commands_written += count;
            self.positions.wrote_command(count as u64);
            written -= count;
            if self.commands_written < self.commands.len() {
                return;
            }
            self.commands.clear();
            self.commands_written = 0;
        }
        while written > 0 {
            written -= self.advance_run(written);
        }
    }

    /// Takes up to `written` bytes from the front run and returns how many that were.
    fn advance_run(&mut self, written: usize) -> usize {
        let Some(front) = self.runs.front_mut() else { return written };
        let count = written.min(front.len());
        if count == front.len() {
            self.runs.pop_front();
            self.inside_run = false;
        } else if count > 0 {
            bytes::Buf::advance(front, count);
            self.inside_run = true;
        }
        self.queued -= count;
        self.positions.wrote_messages(count as u64);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes out in a write of `limit` bytes.
    fn write(output: &mut Output, limit: usize) -> Vec<u8> {
        output.refill();
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = output.fill(&mut slices);
        let mut bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
        bytes.truncate(limit);
        output.advance(bytes.len());
        bytes
    }

    #[test]
    fn a_command_goes_before_the_next_run_and_never_inside_one() {
        let mut output = Output::default();
        assert_eq!(output.push(Bytes::from_static(b"aaaa")), 4);
        assert_eq!(output.push(Bytes::from_static(b"bbbb")), 8);
        assert_eq!(write(&mut output, 2), b"aa");
        output.push_command(|out| out.extend(b"PONG"));
        assert_eq!(write(&mut output, 1), b"a");
        assert_eq!(write(&mut output, 3), b"aPO");
        output.push_command(|out| out.extend(b"ping"));
        assert_eq!(write(&mut output, 7), b"NGpingb");
        assert_eq!((output.queued(), output.written()), (3, 5));
        assert_eq!(write(&mut output, 100), b"bbb");
        assert!(output.is_empty());
        assert_eq!(output.positions.wire(), 16);
    }

    #[test]
    fn commands_that_nobody_reads_are_bounded() {
        let mut output = Output::default();
        for _ in 0..10_000 {
            output.push_command(|out| out.extend([0; 24]));
        }
        assert!(output.commands.len() < MAX_COMMANDS + 24);
    }

    #[test]
    fn taken_never_falls_and_believes_no_dead_peer() {
        let mut output = Output::default();
        output.push(Bytes::from_static(b"0123456789"));
        write(&mut output, 100);
        assert_eq!(output.taken(4, false), 6);
        assert_eq!(output.taken(700, false), 6);
        assert_eq!(output.taken(0, true), 6);
        assert_eq!(output.taken(0, false), 10);
    }

    #[test]
    fn detached_runs_are_the_same_bytes_in_memory_of_their_own() {
        let mut output = Output::default();
        let large = Bytes::from(vec![7; 1000]);
        output.push(large.slice(10..14));
        output.push(large.slice(20..22));
        write(&mut output, 1);
        output.detach();
        assert!(large.is_unique());
        assert_eq!(write(&mut output, 100), [7; 5]);
        assert_eq!((output.queued(), output.written()), (0, 6));
    }

    #[test]
    fn more_runs_than_slices_go_out_in_turn() {
        let mut output = Output::default();
        for _ in 0..=SLICES * 2 {
            output.push(Bytes::from_static(&[7; SHORT]));
        }
        assert_eq!(write(&mut output, usize::MAX).len(), SLICES * SHORT);
        assert_eq!(write(&mut output, usize::MAX).len(), SLICES * SHORT);
        assert_eq!(write(&mut output, usize::MAX).len(), SHORT);
        assert!(output.is_empty());
    }

    #[test]
    fn many_short_runs_wait_as_few_and_go_out_in_order() {
        let mut output = Output::default();
        let mut all = Vec::new();
        for number in 0..10_000_u32 {
            // One that is not short lies among them.
            let run = number.to_be_bytes().repeat(if number == 5_000 { SHORT } else { 1 });
            all.extend(&run);
            output.push(run.into());
        }
        assert!(output.runs.len() <= SLICES + 2, "{}", output.runs.len());
        let mut out = Vec::new();
        while !output.is_empty() {
            out.extend(write(&mut output, 1_000));
        }
        assert_eq!(out, all);
        assert_eq!(output.written(), all.len() as u64);
    }
}
