//! ZMTP frames: one header, flags and size, before each body (RFC 37, "Framing").

/// More frames of the same message follow.
pub const MORE: u8 = 0b001;
/// The size is eight bytes, not one.
pub const LONG: u8 = 0b010;
/// A command, not a part of a message.
pub const COMMAND: u8 = 0b100;

/// Longest header, in bytes.
pub const MAX_HEADER: usize = 9;

/// A decoded frame header. Nothing about it is checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// MORE, LONG, COMMAND, and the reserved bits as they came.
    pub flags: u8,
    /// Bytes that the body has, as announced.
    pub size: u64,
    /// Bytes of the header itself: 2 or 9.
    pub len: usize,
}

impl Header {
    /// Decodes the header at the start of `bytes`, or says how many bytes that takes.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<Self, usize> {
        let &[flags, size, ..] = bytes else { return Err(2) };
        if flags & LONG == 0 {
            return Ok(Self { flags, size: u64::from(size), len: 2 });
        }
        let Some(size) = bytes[1..].first_chunk() else { return Err(MAX_HEADER) };
        Ok(Self { flags, size: u64::from_be_bytes(*size), len: MAX_HEADER })
    }
}

/// One frame of a message, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Whether further frames of the message follow.
    pub more: bool,
    /// The body.
    pub body: &'a [u8],
    /// Header and body, as on the wire.
    pub wire: &'a [u8],
}

/// The frames in `wire`, which holds whole messages as the scanner delivers them.
///
/// Ends early where `wire` stops in the middle of a frame, so it is safe on any bytes.
pub fn frames(wire: &[u8]) -> impl Iterator<Item = Frame<'_>> + Clone {
    let mut rest = wire;
    std::iter::from_fn(move || {
        let header = Header::decode(rest).ok()?;
        let end = usize::try_from(header.size).ok()?.checked_add(header.len)?;
        let (wire, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(Frame { more: header.flags & MORE != 0, body: &wire[header.len..], wire })
    })
}

/// Appends one message frame: the short form up to 255 bytes, the long one above.
pub fn push_frame(out: &mut Vec<u8>, more: bool, body: &[u8]) {
    push(out, u8::from(more) * MORE, body);
}

/// Appends a frame with these flags; LONG is set here as the body needs it.
pub(crate) fn push(out: &mut Vec<u8>, flags: u8, body: &[u8]) {
    if let Ok(size) = u8::try_from(body.len()) {
        out.extend_from_slice(&[flags, size]);
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
    fn short_form_up_to_255_bytes_long_form_above() {
        let mut out = Vec::new();
        push_frame(&mut out, false, b"");
        push_frame(&mut out, true, b"ab");
        assert_eq!(out, [0, 0, 1, 2, b'a', b'b']);
        out.clear();
        push_frame(&mut out, false, &[7; 255]);
        assert_eq!(out[..2], [0, 255]);
        assert_eq!(out.len(), 257);
        out.clear();
        push_frame(&mut out, true, &[7; 256]);
        assert_eq!(out[..9], [3, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(out.len(), 265);
    }

    #[test]
    fn a_header_says_how_many_bytes_it_needs() {
        assert_eq!(Header::decode(&[]), Err(2));
        assert_eq!(Header::decode(&[0]), Err(2));
        assert_eq!(Header::decode(&[2, 0, 0, 0, 0, 0, 0, 0]), Err(9));
        assert_eq!(
            Header::decode(&[2, 0x80, 0, 0, 0, 0, 0, 0, 1]),
            Ok(Header { flags: 2, size: (1 << 63) + 1, len: 9 })
        );
    }

    proptest! {
        #[test]
        fn frames_give_back_what_was_pushed(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 1..20)) {
            let mut wire = Vec::new();
            for (at, part) in parts.iter().enumerate() {
                push_frame(&mut wire, at + 1 < parts.len(), part);
            }
            let read: Vec<_> = frames(&wire).collect();
            prop_assert_eq!(read.iter().map(|frame| frame.body.to_vec()).collect::<Vec<_>>(), parts);
            prop_assert_eq!(read.iter().map(|frame| frame.wire).collect::<Vec<_>>().concat(), wire.clone());
            prop_assert!(read.iter().rev().skip(1).all(|frame| frame.more));
            prop_assert!(!read[read.len() - 1].more);
        }

        #[test]
        fn frames_of_any_bytes_stay_inside_them(wire in prop::collection::vec(any::<u8>(), 0..200)) {
            let read: usize = frames(&wire).map(|frame| frame.wire.len()).sum();
            prop_assert!(read <= wire.len());
        }
    }
}
