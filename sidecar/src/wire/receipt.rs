//! Receipt ingress: what a producer sends, and the answer it gets once its message is safe.
//!
//! A client (REQ or DEALER) sends `[envelope.. ""] body..` and is answered
//! `[envelope.. ""] code [seq]`. The envelope, up to and including the first empty frame, is echoed
//! and never stored. Nothing here decides whether a message is stored. What code 200 is worth is the
//! sync mode's: synced with `Always`; with `Interval` and `None` only written, so that a power cut
//! may still take it, and its seq then is never given to another record.

use std::ops::Range;

use super::decimal::Decimal;
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
    /// To be stored: `body` is one or more whole frames that stand alone as a message.
    Message {
        /// To be given to [`append_reply`]; empty when the message had no envelope.
        envelope: Range<usize>,
        /// To be stored as it is.
        body: Range<usize>,
    },
    /// To be answered with [`Receipt::Malformed`].
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

/// The answer to one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// 200: stored and synced under this seq.
    Stored(u64),
    /// 400: no body, or no delimiter where the client must send one.
    Malformed,
    /// 409: an id that was used for other content.
    Conflict,
    /// 413: over the ingress's `maxMessageSize`.
    TooLarge,
    /// 503: not stored, try again.
    Unavailable,
}

impl Receipt {
    /// The code on the wire.
    pub fn code(self) -> &'static [u8; 3] {
        match self {
            Receipt::Stored(_) => b"200",
            Receipt::Malformed => b"400",
            Receipt::Conflict => b"409",
            Receipt::TooLarge => b"413",
            Receipt::Unavailable => b"503",
        }
    }
}

/// Appends `[envelope.. ""] code [seq]` to `out` as wire frames.
///
/// The envelope's frames are written anew with MORE set, for it may be all that a malformed message
/// consisted of.
pub fn append_reply(out: &mut Vec<u8>, envelope: &[u8], receipt: Receipt) {
    for frame in frames(envelope) {
        push_frame(out, true, frame.body);
    }
    if let Receipt::Stored(seq) = receipt {
        push_frame(out, true, receipt.code());
        push_frame(out, false, Decimal::new(seq).as_bytes());
    } else {
        push_frame(out, false, receipt.code());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(frames: &[&[u8]]) -> Vec<u8> {
        let mut wire = Vec::new();
        for (at, body) in frames.iter().enumerate() {
            push_frame(&mut wire, at + 1 < frames.len(), body);
        }
        wire
    }

    /// Splits and shows the parts as wire bytes.
    fn parts(frames: &[&[u8]], client: Client) -> Option<(Vec<u8>, Vec<u8>)> {
        let wire = message(frames);
        match split(&wire, client, false) {
            Submission::Message { envelope, body } => {
                Some((wire[envelope].to_vec(), wire[body].to_vec()))
            }
            _ => None,
        }
    }

    #[test]
    fn a_req_body_starts_behind_its_delimiter() {
        let (envelope, body) = parts(&[b"", b"a", b"", b"b"], Client::Req).unwrap();
        assert_eq!(envelope, [1, 0]);
        assert_eq!(body, message(&[b"a", b"", b"b"]));
    }

    #[test]
    fn a_correlated_req_has_its_request_id_echoed() {
        let (envelope, body) = parts(&[b"\0\0\0\x07", b"", b"a"], Client::Req).unwrap();
        assert_eq!(body, message(&[b"a"]));
        let mut reply = Vec::new();
        append_reply(&mut reply, &envelope, Receipt::Stored(90));
        assert_eq!(reply, message(&[b"\0\0\0\x07", b"", b"200", b"90"]));
    }

    #[test]
    fn a_dealer_without_an_empty_frame_is_all_body() {
        let (envelope, body) = parts(&[b"a", b"b"], Client::Dealer).unwrap();
        assert!(envelope.is_empty());
        assert_eq!(body, message(&[b"a", b"b"]));
        let mut reply = Vec::new();
        append_reply(&mut reply, &envelope, Receipt::Unavailable);
        assert_eq!(reply, message(&[b"503"]));
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
    fn an_envelope_without_body_is_malformed_even_first() {
        let wire = message(&[b"id", b""]);
        assert_eq!(
            split(&wire, Client::Dealer, true),
            Submission::Malformed { envelope: 0..wire.len() }
        );
        let mut reply = Vec::new();
        append_reply(&mut reply, &wire, Receipt::Malformed);
        assert_eq!(reply, message(&[b"id", b"", b"400"]));
    }

    #[test]
    fn a_req_without_delimiter_is_malformed() {
        assert_eq!(
            split(&message(&[b"a"]), Client::Req, true),
            Submission::Malformed { envelope: 0..0 }
        );
    }

    #[test]
    fn each_outcome_has_its_code_and_only_stored_a_seq() {
        let outcomes = [
            (Receipt::Stored(0), vec![&b"200"[..], b"0"]),
            (Receipt::Malformed, vec![b"400"]),
            (Receipt::Conflict, vec![b"409"]),
            (Receipt::TooLarge, vec![b"413"]),
            (Receipt::Unavailable, vec![b"503"]),
        ];
        for (receipt, frames) in outcomes {
            let mut reply = Vec::new();
            append_reply(&mut reply, b"", receipt);
            assert_eq!(reply, message(&frames));
        }
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
