//! Counts what was delivered against what was sent. Messages carry their number in their first
//! eight bytes.

use std::ops::Range;

use lifeboat_sidecar::status::StreamState;

use super::{Home, wait_for};

/// How often each number was delivered.
pub(crate) struct Tally(Vec<u32>);

impl Tally {
    /// Of the numbers below `sent`.
    pub(crate) fn of(sent: usize) -> Self {
        Self(vec![0; sent])
    }

    /// The same with more numbers, none of which was delivered yet.
    pub(crate) fn grown(mut self, sent: usize) -> Self {
        self.0.resize(sent, 0);
        self
    }

    /// Counts a delivery; true when it is the first of its number.
    pub(crate) fn count(&mut self, body: &[u8]) -> bool {
        let number = usize::try_from(number(body)).unwrap();
        let seen = self.0.get_mut(number).unwrap_or_else(|| panic!("{number} was never sent"));
        *seen += 1;
        *seen == 1
    }

    /// Numbers delivered at least once.
    pub(crate) fn delivered(&self) -> usize {
        self.0.iter().filter(|&&seen| seen > 0).count()
    }

    /// Numbers never delivered.
    pub(crate) fn lost(&self) -> usize {
        self.0.len() - self.delivered()
    }

    /// Deliveries beyond the first.
    pub(crate) fn duplicates(&self) -> usize {
        self.0.iter().map(|&seen| (seen as usize).saturating_sub(1)).sum()
    }
}

/// A message of `len` bytes, at least eight, that carries `number`.
pub(crate) fn numbered(number: usize, len: usize) -> Vec<u8> {
    let mut body = (number as u64).to_be_bytes().to_vec();
    body.resize(len.max(8), number.to_le_bytes()[0]);
    body
}

/// Sends messages of these numbers, each of `len` bytes, until the stream `work` is full and the
/// producer blocks; how far it came. A block alone may only be a slow disk.
pub(crate) fn send_until_full(
    home: &Home,
    producer: &zmq::Socket,
    numbers: Range<usize>,
    len: usize,
) -> usize {
    let mut next = numbers.start;
    wait_for("a full stream that stops its producer", || {
        while producer.send(numbered(next, len), 0).is_ok() {
            next += 1;
            assert!(next < numbers.end, "the producer is not stopped");
        }
        (home.stream("work").state == StreamState::Full).then_some(())
    });
    next
}

/// The number of a message.
pub(crate) fn number(body: &[u8]) -> u64 {
    u64::from_be_bytes(body[..8].try_into().unwrap())
}
