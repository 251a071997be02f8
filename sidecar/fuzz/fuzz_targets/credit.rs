//! The verbs of Credit: any message is a verb or a refusal, within the limits that it promises.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use lifeboat_sidecar::delivery::LeaseKey;
use lifeboat_sidecar::wire::credit::{MAX_DELAY, MAX_REASON, MAX_TOKENS, Verb, parse};
use lifeboat_sidecar::wire::refusal::append_err;
use lifeboat_sidecar::wire::token::{Origin, Token};
use lifeboat_zmtp::{frames, push_frame};

const ORIGIN: Origin = Origin { stream: [7; 16], delivery: 3 };

#[derive(Debug, Arbitrary)]
enum Part<'a> {
    Word(u8),
    /// A token of this delivery, or of the one after.
    Token {
        foreign: bool,
        epoch: u64,
        seq: u64,
        attempt: u32,
    },
    Number(u64),
    Bytes(&'a [u8]),
}

const WORDS: [&[u8]; 8] =
    [b"", b"ACK", b"CREDIT", b"NACK", b"REJECT", b"EXTEND", b"FETCH", b"NEXT"];

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    Parts(Vec<Part<'a>>),
    Wire(&'a [u8]),
}

fn message(parts: &[Part<'_>]) -> Vec<u8> {
    let mut wire = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let more = at + 1 < parts.len();
        match *part {
            Part::Word(word) => {
                push_frame(&mut wire, more, WORDS[usize::from(word) % WORDS.len()]);
            }
            Part::Token { foreign, epoch, seq, attempt } => {
                let origin = Origin { delivery: ORIGIN.delivery + u32::from(foreign), ..ORIGIN };
                let lease = LeaseKey { epoch, seq, attempt };
                push_frame(&mut wire, more, &Token::new(origin, lease).encode());
            }
            Part::Number(number) => push_frame(&mut wire, more, number.to_string().as_bytes()),
            Part::Bytes(bytes) => push_frame(&mut wire, more, bytes),
        }
    }
    wire
}

fuzz_target!(|input: Input<'_>| {
    let wire = match input {
        Input::Parts(parts) => message(&parts),
        Input::Wire(wire) => wire.to_vec(),
    };
    match parse(&wire, ORIGIN) {
        Ok(Verb::Ack(acked)) => {
            let tokens = acked.leases().count();
            assert!((1..=MAX_TOKENS).contains(&tokens));
            for lease in acked.leases().filter_map(Result::ok) {
                assert!(said(&wire, lease), "a hand-out that nobody named");
            }
        }
        Ok(Verb::Nack { lease, delay }) => {
            assert!(said(&wire, lease) && delay.is_none_or(|delay| delay <= MAX_DELAY));
        }
        Ok(Verb::Reject { lease, reason }) => {
            assert!(said(&wire, lease) && reason.len() <= MAX_REASON);
        }
        Ok(Verb::Extend { lease, time }) => assert!(said(&wire, lease) && time <= MAX_DELAY),
        Ok(_) => {}
        Err(refusal) => {
            let mut out = Vec::new();
            append_err(&mut out, refusal);
            assert_eq!(frames(&out).count(), 3);
        }
    }
});

/// Whether a frame of the message is this delivery's token for this hand-out.
fn said(wire: &[u8], lease: LeaseKey) -> bool {
    let token = Token::new(ORIGIN, lease).encode();
    frames(wire).any(|frame| frame.body == token)
}
