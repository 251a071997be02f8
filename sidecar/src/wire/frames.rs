//! Frames inside one message's ZMTP wire bytes: flags, length, body (ZMTP 3.1, section 3.3).
//!
//! It walks bytes that the codec has already checked, so it reports no errors: it stops.

/// Bit 0 of the flags: more frames of this message follow.
const MORE: u8 = 0b01;
/// Bit 1 of the flags: the length is 8 bytes, big-endian, not 1.
const LONG: u8 = 0b10;

/// One frame, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// What the frame carries.
    pub(super) body: &'a [u8],
    /// Header and body.
    pub(super) wire: &'a [u8],
}

/// The frames in `wire`, in order.
pub(super) fn frames(wire: &[u8]) -> impl Iterator<Item = Frame<'_>> + Clone {
    let mut rest = wire;
    std::iter::from_fn(move || {
        let (&flags, behind) = rest.split_first()?;
        let (header, len) = if flags & LONG == 0 {
            (2, usize::from(*behind.first()?))
        } else {
            (9, usize::try_from(u64::from_be_bytes(*behind.first_chunk()?)).ok()?)
        };
        let (wire, after) = rest.split_at_checked(len.checked_add(header)?)?;
        rest = after;
        Some(Frame { body: &wire[header..], wire })
    })
}

/// Appends one frame to `out`.
pub(super) fn push_frame(out: &mut Vec<u8>, more: bool, body: &[u8]) {
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
        push_frame(&mut wire, true, b"ab");
        push_frame(&mut wire, false, &[7; 256]);
        assert_eq!(&wire[..4], &[1, 2, b'a', b'b']);
        assert_eq!(&wire[4..13], &[2, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(wire.len(), 4 + 9 + 256);
    }

    proptest! {
        #[test]
        fn what_was_appended_is_read_back(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 1..8)) {
            let mut wire = Vec::new();
            for (at, body) in bodies.iter().enumerate() {
                push_frame(&mut wire, at + 1 < bodies.len(), body);
            }
            let read: Vec<_> = frames(&wire).collect();
            prop_assert_eq!(read.iter().map(|frame| frame.body.to_vec()).collect::<Vec<_>>(), bodies);
            prop_assert_eq!(read.iter().flat_map(|frame| frame.wire.to_vec()).collect::<Vec<_>>(), wire);
        }

        #[test]
        fn any_bytes_end_the_walk(wire in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(frames(&wire).count() <= wire.len());
        }
    }
}
