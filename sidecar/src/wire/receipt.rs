//! Receipt ingress: what a producer sends, and the answer it gets once its message is safe.
//!
//! A client (REQ or DEALER) sends `[envelope.. ""] body..` and is answered
//! `[envelope.. ""] code [seq]`. The envelope, up to and including the first empty frame, is echoed
//! and never stored. Nothing here decides whether a message is stored. What code 200 is worth is the
//! sync mode's: synced with `Always`; with `Interval` and `None` only written, so that a power cut
//! may still take it, and its seq then is never given to another record.

use super::decimal::Decimal;
use super::envelope::append_envelope;
use lifeboat_zmtp::push_frame;

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
pub fn append_reply(out: &mut Vec<u8>, envelope: &[u8], receipt: Receipt) {
    append_envelope(out, envelope);
    if let Receipt::Stored(seq) = receipt {
        push_frame(out, true, receipt.code());
        push_frame(out, false, Decimal::new(seq).as_bytes());
    } else {
        push_frame(out, false, receipt.code());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::envelope::{Client, Submission, split};
    use crate::wire::testing::{message, parts};

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
}
