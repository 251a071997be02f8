//! Receipt ingress: any wire bytes are split into envelope and body without a byte left over, and
//! the answer echoes the envelope.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use lifeboat_sidecar::wire::envelope::{Client, Submission, split};
use lifeboat_sidecar::wire::receipt::{Receipt, append_reply};
use lifeboat_zmtp::frames;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    req: bool,
    first: bool,
    seq: u64,
    wire: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let Input { req, first, seq, wire } = input;
    let client = if req { Client::Req } else { Client::Dealer };
    let envelope = match split(wire, client, first) {
        Submission::Probe => {
            assert!(first);
            assert!(frames(wire).all(|frame| frame.body.is_empty()));
            return;
        }
        Submission::Message { envelope, body } => {
            assert_eq!((envelope.start, envelope.end, body.end), (0, body.start, wire.len()));
            assert!(!body.is_empty());
            envelope
        }
        Submission::Malformed { envelope } => envelope,
    };
    let envelope = &wire[envelope];
    let ends = frames(envelope).position(|frame| frame.body.is_empty());
    assert_eq!(ends.map(|at| at + 1), Some(frames(envelope).count()).filter(|&count| count > 0));

    for receipt in [Receipt::Stored(seq), Receipt::Malformed] {
        let mut reply = Vec::new();
        append_reply(&mut reply, envelope, receipt);
        let bodies: Vec<_> = frames(&reply).map(|frame| frame.body).collect();
        let echoed = frames(envelope).count();
        assert!(frames(envelope).map(|frame| frame.body).eq(bodies[..echoed].iter().copied()));
        assert_eq!(bodies[echoed], receipt.code());
        if let Receipt::Stored(seq) = receipt {
            assert_eq!(bodies[echoed + 1], seq.to_string().as_bytes());
        }
        let last = frames(&reply).count() - 1;
        assert!(frames(&reply).enumerate().all(|(at, frame)| frame.more == (at < last)));
    }
});
