//! The read buffer of one connection: small at first, larger as bytes arrive, small again when
//! idle. It never grows by what a peer announces, only once it is full of what came.

use std::io;
use std::sync::Arc;

use super::budget::{Charge, MemoryBudget};
use super::stream::Stream;

/// What every connection has without asking the budget, in bytes.
pub(super) const START: usize = 8 << 10;
/// How far a busy connection's buffer grows so that one read takes many messages.
const FLOW: usize = 256 << 10;
/// A scan takes at most one message for so many bytes of buffer, which bounds the positions: a
/// quarter of the buffer's size on top.
const BYTES_PER_MESSAGE: usize = 16;
/// A partial message of at most this part of the buffer is moved to the front before a read.
const CHEAP_MOVE: usize = 8;

/// Bytes read and not yet consumed.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    data: Vec<u8>,
    start: usize,
    charge: Charge,
    /// The last read left no room: more is waiting than fits.
    filled_up: bool,
}

impl ReadBuffer {
    pub(super) fn new(budget: Arc<MemoryBudget>) -> Self {
        Self {
            data: Vec::with_capacity(START),
            start: 0,
            charge: Charge::new(budget),
            filled_up: false,
        }
    }

    /// The unconsumed bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.data[self.start..]
    }

    /// The unconsumed bytes, to be rearranged.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.data[self.start..]
    }

    /// Drops bytes from the front.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start == self.data.len() {
            self.data.clear();
            self.start = 0;
        }
    }

    /// How many messages one scan may find.
    pub(super) fn message_room(&self) -> usize {
        self.data.capacity() / BYTES_PER_MESSAGE
    }

    /// Makes room for at least one more byte, towards `wanted` unconsumed bytes in all; false
    /// when the budget does not allow it.
    pub(super) fn make_room(&mut self, wanted: usize) -> bool {
        let (capacity, partial) = (self.data.capacity(), self.data.len() - self.start);
        let wanted = wanted.max(partial + 1);
        if self.start > 0 && (partial <= capacity / CHEAP_MOVE || self.start + wanted > capacity) {
            self.data.copy_within(self.start.., 0);
            self.data.truncate(partial);
            self.start = 0;
        }
        let full = self.data.len() == capacity;
        let busy = self.filled_up && capacity < FLOW;
        if full || busy {
            self.filled_up = false;
            let target = (capacity * 2).min(wanted.max(FLOW)).max(capacity + 1);
            return self.grow(target) || !full;
        }
        true
    }

    /// Reads once. `Ok(0)` is the end of the stream.
    pub(super) fn read_from(&mut self, stream: &Stream) -> io::Result<usize> {
        let count = stream.try_read(&mut self.data)?;
        self.filled_up = self.data.len() == self.data.capacity();
        Ok(count)
    }

    /// Whether the buffer is larger than its start and what is in it is not.
    pub(super) fn is_idle_and_large(&self) -> bool {
        self.data.capacity() > START && self.bytes().len() < START
    }

    /// Back to the start size, if what is in it allows.
    pub(super) fn shrink(&mut self) {
        if self.is_idle_and_large() {
            let mut data = Vec::with_capacity(START);
            data.extend_from_slice(self.bytes());
            (self.data, self.start, self.filled_up) = (data, 0, false);
            self.charge.resize(0);
        }
    }

    fn grow(&mut self, target: usize) -> bool {
        let positions = (target - START) / BYTES_PER_MESSAGE * size_of::<u32>();
        if !self.charge.resize(target - START + positions) {
            return false;
        }
        if self.data.is_empty() {
            self.data = Vec::with_capacity(target);
        } else {
            self.data.reserve_exact(target - self.data.len());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(buffer: &mut ReadBuffer) {
        let room = buffer.data.capacity();
        buffer.data.resize(room, 7);
        buffer.filled_up = true;
    }

    #[test]
    fn grows_by_doubling_only_when_full_and_up_to_what_is_wanted() {
        let mut buffer = ReadBuffer::new(MemoryBudget::new(8 << 20));
        assert!(buffer.make_room(1 << 20));
        assert_eq!(buffer.data.capacity(), START, "an announcement alone grows nothing");
        let mut sizes = vec![START];
        while buffer.data.capacity() < 1 << 20 {
            filled(&mut buffer);
            assert!(buffer.make_room(1 << 20));
            sizes.push(buffer.data.capacity());
        }
        assert!(sizes.windows(2).all(|pair| pair[1] == pair[0] * 2), "{sizes:?}");
        assert_eq!(*sizes.last().unwrap(), 1 << 20);
    }

    #[test]
    fn flow_growth_stops_at_its_bound_and_shrinks_when_idle() {
        let budget = MemoryBudget::new(8 << 20);
        let mut buffer = ReadBuffer::new(Arc::clone(&budget));
        for _ in 0..20 {
            filled(&mut buffer);
            buffer.consume(buffer.bytes().len());
            assert!(buffer.make_room(2));
        }
        assert_eq!(buffer.data.capacity(), FLOW);
        assert!(budget.free() < 8 << 20);
        filled(&mut buffer);
        buffer.consume(FLOW - START);
        buffer.shrink();
        assert_eq!(buffer.data.capacity(), FLOW, "it is in use");
        buffer.consume(1);
        buffer.shrink();
        assert_eq!((buffer.data.capacity(), budget.free()), (START, 8 << 20));
        assert_eq!(buffer.bytes(), [7; START - 1], "a partial message stays");
    }

    #[test]
    fn works_on_small_without_budget_and_says_when_it_cannot() {
        let mut buffer = ReadBuffer::new(MemoryBudget::new(0));
        filled(&mut buffer);
        buffer.consume(100);
        assert!(buffer.make_room(1000), "moving makes room");
        assert_eq!(buffer.bytes().len(), START - 100);
        filled(&mut buffer);
        assert!(!buffer.make_room(START + 1));
        assert_eq!(buffer.data.capacity(), START);
    }

    #[test]
    fn a_small_partial_moves_to_the_front_a_large_one_stays_while_it_fits() {
        let mut buffer = ReadBuffer::new(MemoryBudget::new(0));
        filled(&mut buffer);
        buffer.consume(START - 10);
        assert!(buffer.make_room(20));
        assert_eq!((buffer.start, buffer.bytes().len()), (0, 10));
        buffer.data.resize(START / 2, 7);
        buffer.consume(10);
        assert!(buffer.make_room(START / 2));
        assert_eq!(buffer.start, 10);
    }
}
