//! Reads a file in large pieces and hands out slices of them without copying.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::vfs::File;

/// Bytes read at once, unless more are asked for: large enough that a backlog is read at the
/// disk's pace, small enough that one buffer a reader does not matter.
const READ_LEN: usize = 512 << 10;

/// The part of a file that was read last.
#[derive(Debug)]
pub(crate) struct Window {
    file: Arc<dyn File>,
    start: u64,
    bytes: Bytes,
}

impl Window {
    pub(crate) fn new(file: Arc<dyn File>) -> Self {
        Self { file, start: 0, bytes: Bytes::new() }
    }

    /// `len` bytes at `position`; `None` when they would reach beyond `limit` or the file's end.
    /// Nothing at or above `limit` is read, so bytes still being written are never kept.
    pub(crate) fn slice(
        &mut self,
        position: u64,
        len: usize,
        limit: u64,
    ) -> io::Result<Option<Bytes>> {
        if position.checked_add(len as u64).is_none_or(|end| end > limit) {
            return Ok(None);
        }
        if self.place(position, len).is_none() {
            let available = usize::try_from(limit - position).unwrap_or(usize::MAX);
            self.fill(position, READ_LEN.max(len).min(available))?;
        }
        let place = self.place(position, len);
        Ok(place.map(|place| self.bytes.slice(place)))
    }

    /// Where in the window these bytes are; `None` when it does not hold all of them.
    fn place(&self, position: u64, len: usize) -> Option<Range<usize>> {
        let from = usize::try_from(position.checked_sub(self.start)?).ok()?;
        let place = from..from.checked_add(len)?;
        (place.end <= self.bytes.len()).then_some(place)
    }

    fn fill(&mut self, position: u64, len: usize) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.bytes).try_into_mut().unwrap_or_default();
        resize(&mut buffer, len);
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, position + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        self.start = position;
        self.bytes = buffer.freeze();
        Ok(())
    }
}

fn resize(buffer: &mut BytesMut, len: usize) {
    if buffer.capacity() < len {
        *buffer = BytesMut::zeroed(len);
    } else {
        buffer.resize(len, 0);
    }
}
