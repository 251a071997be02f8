//! Reads a byte stream in pieces through the scanner, as a connection does. The test of the scanner
//! and its fuzz target both include this file.

use lifeboat_zmtp::codec::limits::MAX_COMMAND;
use lifeboat_zmtp::codec::scanner::{Scan, Scanner};
use lifeboat_zmtp::{CloseReason, Limits};

/// What a stream holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A message's wire bytes.
    Message(Vec<u8>),
    /// A command's.
    Command(Vec<u8>),
    /// Those of the head of a message that is passed over.
    TooLarge(Vec<u8>),
    /// It ends the connection.
    Refused(CloseReason),
}

/// A connection that asks for `room` messages at a time.
struct Reader {
    scanner: Scanner,
    room: usize,
    /// More bytes than that the scanner must not want to have at once.
    most: usize,
    held: Vec<u8>,
    found: Vec<Found>,
}

/// What `pieces`, one after the other, hold. `max` and `parts` are the message's limits in `limits`.
pub(crate) fn read<'a>(
    limits: Limits,
    (max, parts): (usize, u32),
    room: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Found> {
    let command = usize::try_from(MAX_COMMAND).expect("a few KiB") + 9;
    let most = max + parts as usize * 9 + command;
    let scanner = Scanner::new(limits);
    let mut reader = Reader { scanner, room, most, held: Vec::new(), found: Vec::new() };
    for piece in pieces {
        reader.held.extend_from_slice(piece);
        if let Err(reason) = reader.drain() {
            reader.found.push(Found::Refused(reason));
            break;
        }
    }
    reader.found
}

impl Reader {
    /// Takes what is whole out of what is held.
    fn drain(&mut self) -> Result<(), CloseReason> {
        let Self { scanner, room, most, held, found } = self;
        loop {
            let mut ends = Vec::new();
            let outcome = scanner.scan(held, &mut ends, *room);
            let mut start = 0;
            for &end in &ends {
                found.push(Found::Message(held[start..end as usize].to_vec()));
                start = end as usize;
            }
            let mut starved = false;
            match outcome {
                Ok(Scan::Starved { wanted }) => {
                    assert!(wanted > held.len());
                    assert!(wanted - scanner.message_start() <= *most, "asks for {wanted}");
                    starved = true;
                }
                Ok(Scan::Full) => assert_eq!(ends.len(), *room),
                Ok(Scan::TooLarge { head }) => found.push(Found::TooLarge(held[head].to_vec())),
                Ok(Scan::Command { wire, body }) if ends.is_empty() => {
                    assert!(wire.start < body.start && wire.end == body.end);
                    found.push(Found::Command(held[wire.clone()].to_vec()));
                    scanner.pass_command(wire, held)?;
                }
                Err(reason) if ends.is_empty() => return Err(reason),
                Ok(Scan::Skipped | Scan::Command { .. }) | Err(_) => {}
            }
            let done = scanner.message_start();
            held.drain(..done);
            scanner.consumed(done);
            if starved {
                return Ok(());
            }
        }
    }
}
