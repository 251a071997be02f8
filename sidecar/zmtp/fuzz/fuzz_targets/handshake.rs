//! From the first byte to READY: any split reads like the whole, and only a fit peer gets in.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use lifeboat_zmtp::codec::greeting::greeting;
use lifeboat_zmtp::codec::handshake::Handshake;
use lifeboat_zmtp::codec::limits::MAX_COMMAND;
use lifeboat_zmtp::codec::metadata::Metadata;
use lifeboat_zmtp::codec::null::Role;
use lifeboat_zmtp::{CloseReason, SocketType, Version, push_frame};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    /// A listener's ROUTER, or a PULL that connects.
    router: bool,
    /// What comes before `bytes`.
    start: Start,
    /// Bytes that arrive at a time, less one.
    piece: u8,
    bytes: &'a [u8],
}

#[derive(Debug, Arbitrary, PartialEq)]
enum Start {
    Nothing,
    Greeting,
    /// A greeting, and `bytes` are the body of one command frame.
    Framed,
}

/// What came of a handshake: who it was and after how many bytes, or why not; and our answer.
type Outcome = (Result<Option<(Version, Metadata, usize)>, CloseReason>, Vec<u8>);

fn run<'a>(router: bool, pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let (role, socket, accepts): (_, _, &[SocketType]) = if router {
        (Role::Listener, SocketType::Router, &[SocketType::Req, SocketType::Dealer])
    } else {
        (Role::Connector, SocketType::Pull, &[SocketType::Push])
    };
    let (mut out, mut held, mut done) = (Vec::new(), Vec::new(), 0);
    let mut handshake = Handshake::new(role, socket, accepts, &mut out);
    for piece in pieces {
        held.extend_from_slice(piece);
        match handshake.receive(&held, &mut out) {
            Ok(received) => {
                assert!(received.used <= held.len());
                held.drain(..received.used);
                done += received.used;
                if let Some((version, metadata)) = received.peer {
                    assert!(accepts.contains(&metadata.socket));
                    return (Ok(Some((version, metadata, done))), out);
                }
                let most = usize::try_from(MAX_COMMAND).expect("a few KiB") + 9;
                assert!(held.len() <= piece.len() + most, "an unfinished handshake holds little");
            }
            Err(reason) => return (Err(reason), out),
        }
    }
    (Ok(None), out)
}

fuzz_target!(|input: Input<'_>| {
    let mut bytes = Vec::new();
    if input.start != Start::Nothing {
        bytes.extend_from_slice(&greeting("NULL"));
    }
    if input.start == Start::Framed {
        let at = bytes.len();
        push_frame(&mut bytes, false, input.bytes);
        bytes[at] |= 4;
    } else {
        bytes.extend_from_slice(input.bytes);
    }
    let whole = run(input.router, std::iter::once(&bytes[..]));
    assert_eq!(run(input.router, bytes.chunks(usize::from(input.piece) + 1)), whole);
});
