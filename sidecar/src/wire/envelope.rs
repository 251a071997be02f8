//! Envelopes: what a REQ, or a DEALER that acts like one, puts before its body, and wants to see
//! before the answer. The envelope goes up to and including the first empty frame.

use std::ops::Range;

use lifeboat_zmtp::{frames, push_frame};

/// The kind of client on a connection, from READY's Socket-Type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Puts an empty frame before its body, always.
    Req,
    /// Sends a bare body, or an envelope first. A body that holds empty frames must start with an
    /// empty one: the first empty frame is the end of the envelope, whatever was meant.
    Dealer,
}

/// What one message of a client is. Ranges are bytes of the message's wire form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission {
    /// A lone empty frame, first on its connection (`ZMQ_PROBE_ROUTER`): ignored, not answered.
    Probe,
    /// `body` is one or more whole frames that stand alone as a message.
    Message {
        /// To be given to [`append_envelope`]; empty when the message had no envelope.
        envelope: Range<usize>,
        /// What the client says.
        body: Range<usize>,
    },
    /// No body, or no delimiter where the client must send one.
    Malformed {
        /// As above.
        envelope: Range<usize>,
    },
}

/// Splits one message's wire bytes. `first` says that it is the first on its connection.
pub fn split(wire: &[u8], client: Client, first: bool) -> Submission {
    let mut end = 0;
    let delimited = frames(wire).any(|frame| {
        end += frame.wire.len();
        frame.body.is_empty()
    });
    if !delimited {
        return match client {
            Client::Dealer if !wire.is_empty() => {
                Submission::Message { envelope: 0..0, body: 0..wire.len() }
            }
            _ => Submission::Malformed { envelope: 0..0 },
        };
    }
    if end < wire.len() {
        return Submission::Message { envelope: 0..end, body: end..wire.len() };
    }
    match frames(wire).nth(1) {
        None if first => Submission::Probe,
        _ => Submission::Malformed { envelope: 0..end },
    }
}

/// Appends an envelope, every frame with MORE set: it may be all that a malformed message consisted
/// of.
pub fn append_envelope(out: &mut Vec<u8>, envelope: &[u8]) {
    for frame in frames(envelope) {
        push_frame(out, true, frame.body);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::testing::{message, parts};

    #[test]
    fn a_req_body_starts_behind_its_delimiter() {
        let (envelope, body) = parts(&[b"", b"a", b"", b"b"], Client::Req).unwrap();
        assert_eq!(envelope, [1, 0]);
        assert_eq!(body, message(&[b"a", b"", b"b"]));
    }

    #[test]
    fn a_dealer_keeps_empty_frames_behind_its_delimiter() {
        let (_, body) = parts(&[b"", b"", b"a", b""], Client::Dealer).unwrap();
        assert_eq!(body, message(&[b"", b"a", b""]));
    }

    #[test]
    fn a_lone_empty_frame_is_a_probe_only_first() {
        let wire = message(&[b""]);
        for client in [Client::Req, Client::Dealer] {
            assert_eq!(split(&wire, client, true), Submission::Probe);
            assert_eq!(split(&wire, client, false), Submission::Malformed { envelope: 0..2 });
        }
    }

    #[test]
    fn a_req_without_delimiter_is_malformed() {
        assert_eq!(
            split(&message(&[b"a"]), Client::Req, true),
            Submission::Malformed { envelope: 0..0 }
        );
    }

    proptest! {
        #[test]
        fn envelope_and_body_are_the_whole_message(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3), 1..6),
            req in any::<bool>(),
        ) {
            let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
            let client = if req { Client::Req } else { Client::Dealer };
            let delimiter = frames.iter().position(|frame| frame.is_empty());
            let expected = match delimiter {
                Some(at) if at + 1 < frames.len() => Some((at + 1, message(&frames[at + 1..]))),
                None if !req => Some((0, message(&frames))),
                _ => None,
            };
            match (parts(&frames, client), expected) {
                (Some((envelope, body)), Some((count, expected_body))) => {
                    prop_assert_eq!(super::frames(&envelope).count(), count);
                    prop_assert_eq!(body, expected_body);
                }
                (None, None) => {}
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
