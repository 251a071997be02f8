//! The bytes of one simulated file as shared pages: a clone costs nothing until it is changed.

use std::sync::Arc;

/// Bytes in a page: the unit of sharing, and of space accounting.
pub(super) const PAGE: u64 = 4096;

type Page = [u8; 4096];

/// A file's bytes. A page that was never written is absent and reads as zeros.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pages: Arc<Vec<Option<Arc<Page>>>>,
    len: u64,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Copies what lies at `position` into `buf`; returns how much that is.
    pub(super) fn read(&self, buf: &mut [u8], position: u64) -> usize {
        let readable = self.len.saturating_sub(position).min(buf.len() as u64);
        let mut done = 0;
        while done < readable {
            let (page, start, count) = place(position + done, readable - done);
            let target = &mut buf[to_usize(done)..][..count];
            match self.pages.get(page) {
                Some(Some(bytes)) => target.copy_from_slice(&bytes[start..start + count]),
                _ => target.fill(0),
            }
            done += count as u64;
        }
        to_usize(readable)
    }

    /// Everything, for tests that look at the disk from outside.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut all = vec![0; to_usize(self.len)];
        self.read(&mut all, 0);
        all
    }

    /// Writes at `position`, extending the file where needed.
    pub(super) fn write(&mut self, bytes: &[u8], position: u64) {
        let end = position + bytes.len() as u64;
        let pages = Arc::make_mut(&mut self.pages);
        pages.resize(pages.len().max(to_usize(end.div_ceil(PAGE))), None);
        let mut done = 0;
        while done < bytes.len() {
            let (page, start, count) = place(position + done as u64, (bytes.len() - done) as u64);
            let target = pages[page].get_or_insert_with(|| Arc::new([0; 4096]));
            Arc::make_mut(target)[start..start + count].copy_from_slice(&bytes[done..done + count]);
            done += count;
        }
        self.len = self.len.max(end);
    }

    /// Cuts the file, or extends it by zeros.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            let pages = Arc::make_mut(&mut self.pages);
            pages.truncate(to_usize(len.div_ceil(PAGE)));
            let kept = to_usize(len % PAGE);
            if kept > 0
                && let Some(Some(last)) = pages.get_mut(to_usize(len / PAGE))
            {
                Arc::make_mut(last)[kept..].fill(0);
            }
        }
        self.len = len;
    }

    /// Inverts one bit.
    pub(super) fn flip(&mut self, position: u64, bit: u8) {
        let mut byte = [0];
        if self.read(&mut byte, position) == 1 {
            self.write(&[byte[0] ^ (1 << bit)], position);
        }
    }

    /// Pages that hold bytes, from page number `first` on.
    pub(super) fn pages_from(&self, first: u64) -> u64 {
        self.pages.iter().skip(to_usize(first)).flatten().count() as u64
    }

    /// Pages that a write of `len` bytes at `position` would have to add, from `first` on.
    pub(super) fn pages_missing(&self, position: u64, len: u64, first: u64) -> u64 {
        let end = (position + len).div_ceil(PAGE);
        let absent = |page: &u64| !matches!(self.pages.get(to_usize(*page)), Some(Some(_)));
        (first.max(position / PAGE)..end).filter(absent).count() as u64
    }
}

/// The page of a position, the place in it, and how many of `len` bytes lie in that page.
fn place(position: u64, len: u64) -> (usize, usize, usize) {
    let start = position % PAGE;
    (to_usize(position / PAGE), to_usize(start), to_usize(len.min(PAGE - start)))
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_vec(steps in prop::collection::vec((any::<bool>(), 0usize..20_000, 1usize..9000, 1u8..), 1..12)) {
            let (mut content, mut twin) = (Content::default(), Vec::new());
            let (untouched, before) = (content.clone(), twin.clone());
            for (write, position, len, byte) in steps {
                if write {
                    content.write(&vec![byte; len], position as u64);
                    twin.resize(twin.len().max(position + len), 0);
                    twin[position..position + len].fill(byte);
                } else {
                    content.set_len(position as u64);
                    twin.resize(position, 0);
                }
                prop_assert!(content.to_vec() == twin);
                let held = twin.chunks(4096).filter(|page| page.iter().any(|&byte| byte != 0)).count();
                prop_assert!(content.pages_from(0) >= held as u64);
            }
            prop_assert!(untouched.to_vec() == before);
        }
    }
}
