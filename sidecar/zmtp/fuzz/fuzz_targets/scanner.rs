//! Traffic after the handshake: however it is cut it reads the same, and without oversize it reads
//! as a decoder reads it that knows nothing but RFC 37.
#![no_main]

#[path = "../../tests/support/pieces.rs"]
mod pieces;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use lifeboat_zmtp::codec::limits::MAX_COMMAND;
use lifeboat_zmtp::{CloseReason, Limits, Oversize};
use pieces::{Found, read};

const MAX: usize = 300;
const PARTS: u32 = 6;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    skip: bool,
    /// Messages asked for at a time, less one.
    room: u8,
    /// Bytes that arrive at a time, less one.
    piece: u8,
    bytes: &'a [u8],
}

/// The messages and commands before the first thing that breaks a limit or the framing.
fn naive(bytes: &[u8]) -> Vec<Found> {
    let (mut found, mut message, mut parts, mut sum, mut at) = (Vec::new(), Vec::new(), 0, 0, 0);
    while let Some((flags, header, size)) = header(&bytes[at..]) {
        let command = flags & 4 != 0;
        let breaks = if command {
            flags & 1 != 0 || size as u64 > MAX_COMMAND
        } else {
            sum + size > MAX || parts >= PARTS
        };
        if flags & !7 != 0 || breaks {
            break;
        }
        let Some(wire) = bytes.get(at..at + header + size) else { break };
        at += wire.len();
        if command {
            found.push(Found::Command(wire.to_vec()));
            continue;
        }
        message.extend_from_slice(wire);
        (parts, sum) = (parts + 1, sum + size);
        if flags & 1 == 0 {
            found.push(Found::Message(std::mem::take(&mut message)));
            (parts, sum) = (0, 0);
        }
    }
    found
}

/// Flags, length of the header, length of the body.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let flags = *bytes.first()?;
    if flags & 2 == 0 {
        return Some((flags, 2, usize::from(*bytes.get(1)?)));
    }
    let size = u64::from_be_bytes(bytes.get(1..9)?.try_into().expect("eight bytes"));
    // Longer than any input, and than any limit.
    Some((flags, 9, usize::try_from(size.min(1 << 40)).expect("64 bits")))
}

fuzz_target!(|input: Input<'_>| {
    let oversize = if input.skip { Oversize::Skip } else { Oversize::Close };
    let limits = Limits::DEFAULT
        .with_max_message_size(MAX as u64)
        .with_max_parts(PARTS)
        .with_oversize(oversize);
    let whole = read(limits, (MAX, PARTS), 3, [input.bytes]);
    let pieces = input.bytes.chunks(usize::from(input.piece) + 1);
    assert_eq!(read(limits, (MAX, PARTS), usize::from(input.room) + 1, pieces), whole);
    let expected = naive(input.bytes);
    let same = whole.iter().zip(&expected).take_while(|(found, expected)| found == expected);
    // A flood of commands inside one message is refused; nothing else may differ before a limit.
    let flood = whole.get(same.clone().count()) == Some(&Found::Refused(CloseReason::BadCommand));
    assert!(flood || same.count() == expected.len(), "{whole:?}, not {expected:?}");
    if !input.skip {
        let more = whole.get(expected.len());
        assert!(matches!(more, None | Some(Found::Refused(_))), "{more:?}");
    }
});
