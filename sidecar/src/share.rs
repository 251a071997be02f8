//! What may wait on its way out of each connection, so that a thousand peers that do not read
//! together stay within the sidecar's memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// More than this does not make one connection faster, in bytes.
const MOST: usize = 256 << 10;
/// Less than this would make each slow, in bytes.
const LEAST: usize = 8 << 10;

/// Memory beyond its length that something on its way may keep, in bytes.
const SLACK: usize = 4 << 10;

/// What goes to a peer, in little more memory than it is long: it may wait for ever.
pub fn packed(mut bytes: Vec<u8>) -> Bytes {
    if bytes.capacity() > bytes.len() + SLACK {
        bytes.shrink_to_fit();
    }
    Bytes::from(bytes)
}

/// Bytes that all connections share.
#[derive(Debug)]
pub struct OutputMemory {
    bytes: usize,
    connections: AtomicUsize,
}

impl OutputMemory {
    /// So many bytes.
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { bytes, connections: AtomicUsize::new(0) })
    }

    /// One connection's part, until it is dropped.
    pub fn join(self: &Arc<Self>) -> OutputShare {
        self.connections.fetch_add(1, Ordering::Relaxed);
        OutputShare(Arc::clone(self))
    }
}

/// One connection's part.
#[derive(Debug)]
pub struct OutputShare(Arc<OutputMemory>);

impl OutputShare {
    /// Bytes on their way beyond which nothing is added, as things stand now: it shrinks and grows
    /// with the number of connections. What is added at once may be as much again.
    pub fn limit(&self) -> usize {
        let connections = self.0.connections.load(Ordering::Relaxed).max(1);
        (self.0.bytes / connections).clamp(LEAST, MOST)
    }
}

impl Drop for OutputShare {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_many_are_small_and_grow_when_they_leave() {
        let memory = OutputMemory::new(12 << 20);
        let first = memory.join();
        assert_eq!(first.limit(), MOST);
        let others: Vec<OutputShare> = (1..1024).map(|_| memory.join()).collect();
        assert_eq!(first.limit(), 12 << 10);
        let more: Vec<OutputShare> = (0..10_000).map(|_| memory.join()).collect();
        assert_eq!(first.limit(), LEAST);
        drop((others, more));
        assert_eq!(first.limit(), MOST);
    }
}
