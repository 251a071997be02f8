//! Frames inside one message's ZMTP wire bytes: flags, length, body (ZMTP 3.1, section 3.3).
//!
//! It walks bytes that the codec has already checked, so it reports no errors: it stops.

/// Bit 0 of the flags: more frames of this message follow.
const MORE: u8 = 0b01;
/// Bit 1 of the flags: the length is 8 bytes, big-endian, not 1.
const LONG: u8 = 0b10;

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// What the frame carries.
    pub(super) body: &'a [u8],
    /// Where the frame ends in the message's wire bytes.
    pub(super) end: usize,
}

/// The frames of one message, in order.
#[derive(Debug, Clone)]
pub(super) struct Frames<'a> {
    wire: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    /// Walks `wire`, the wire bytes of one message.
    pub(super) fn new(wire: &'a [u8]) -> Self {
        Self { wire, at: 0 }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let (&flags, rest) = self.wire.get(self.at..)?.split_first()?;
        let (header, len) = if flags & LONG == 0 {
            (2, usize::from(*rest.first()?))
        } else {
            (9, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?)
        };
        let start = self.at + header;
        let end = start.checked_add(len)?;
        let body = self.wire.get(start..end)?;
        self.at = end;
        Some(Frame { body, end })
    }
}

/// Appends one frame to `out`.
pub(super) fn append_frame(out: &mut Vec<u8>, body: &[u8], more: bool) {
    let flags = if more { MORE } else { 0 };
    if let Ok(len) = u8::try_from(body.len()) {
        out.extend_from_slice(&[flags, len]);
    } else {
        out.push(flags | LONG);
        out.extend_from_slice(&(body.len() as u64).to_be_bytes());
    }
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn flags_and_lengths_are_those_of_zmtp() {
        let mut wire = Vec::new();
        append_frame(&mut wire, b"ab", true);
        append_frame(&mut wire, &[7; 256], false);
        assert_eq!(&wire[..4], &[1, 2, b'a', b'b']);
        assert_eq!(&wire[4..13], &[2, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(wire.len(), 4 + 9 + 256);
    }

    proptest! {
        #[test]
        fn what_was_appended_is_read_back(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 1..8)) {
            let mut wire = Vec::new();
            for (at, body) in bodies.iter().enumerate() {
                append_frame(&mut wire, body, at + 1 < bodies.len());
            }
            let read: Vec<_> = Frames::new(&wire).collect();
            prop_assert_eq!(read.iter().map(|frame| frame.body.to_vec()).collect::<Vec<_>>(), bodies);
            prop_assert_eq!(read.last().unwrap().end, wire.len());
        }

        #[test]
        fn any_bytes_end_the_walk(wire in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(Frames::new(&wire).count() <= wire.len());
        }
    }
}
