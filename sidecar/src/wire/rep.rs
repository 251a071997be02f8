//! Delivery to plain REP applications: a request is the record behind an empty frame, as a REQ would
//! send it, and the reply settles it.
//!
//! A reply whose first frame is exactly `NACK` or `REJECT` says so, with what may follow there in
//! Credit too: `NACK [delay_ms]`, `REJECT [reason]`. Any other reply is an acknowledgement, whatever
//! it holds: nobody gets it.

use std::time::Duration;

use lifeboat_zmtp::{frames, push_frame};

use super::credit::{MAX_REASON, milliseconds};

/// Appends `"" body..`.
pub fn append_request(out: &mut Vec<u8>, body: &[u8]) {
    push_frame(out, true, b"");
    out.extend_from_slice(body);
}

/// What an application says about the one record that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// It is done.
    Ack,
    /// It failed.
    Nack {
        /// Time to redelivery; the delivery's backoff when absent or no number.
        delay: Option<Duration>,
    },
    /// It can never be handled.
    Reject {
        /// For the dead letter; at most [`MAX_REASON`] bytes.
        reason: &'a [u8],
    },
}

/// Reads a reply; `None` when it is none: no empty frame first, or nothing behind it. A REP
/// cannot send that.
pub fn parse(wire: &[u8]) -> Option<Reply<'_>> {
    let mut bodies = frames(wire).map(|frame| frame.body);
    if !bodies.next()?.is_empty() {
        return None;
    }
    let (verdict, argument) = (bodies.next()?, bodies.next());
    Some(match verdict {
        b"NACK" => Reply::Nack { delay: argument.and_then(milliseconds) },
        b"REJECT" => {
            let reason = argument.unwrap_or_default();
            Reply::Reject { reason: reason.get(..MAX_REASON).unwrap_or(reason) }
        }
        _ => Reply::Ack,
    })
}

/// Reads a reply that was too long to be kept, from the whole frames before the one that was too
/// long.
pub fn parse_cut(head: &[u8]) -> Reply<'_> {
    parse(head).unwrap_or(Reply::Ack)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::message;

    #[test]
    fn a_request_is_the_record_behind_an_empty_frame() {
        let mut out = Vec::new();
        append_request(&mut out, &message(&[b"a", b"", b"b"]));
        assert_eq!(out, message(&[b"", b"a", b"", b"b"]));
    }

    #[test]
    fn only_the_exact_words_are_no_acknowledgement() {
        let nack = |delay| Some(Reply::Nack { delay });
        let cases: [(&[&[u8]], Option<Reply<'_>>); 11] = [
            (&[b"", b"done"], Some(Reply::Ack)),
            (&[b"", b""], Some(Reply::Ack)),
            (&[b"", b"nack"], Some(Reply::Ack)),
            (&[b"", b"NACK "], Some(Reply::Ack)),
            (&[b"", b"result", b"NACK"], Some(Reply::Ack)),
            (&[b"", b"NACK"], nack(None)),
            (&[b"", b"NACK", b"250"], nack(Some(Duration::from_millis(250)))),
            (&[b"", b"NACK", b"later"], nack(None)),
            (
                &[b"", b"REJECT", b"no such order", b"x"],
                Some(Reply::Reject { reason: b"no such order" }),
            ),
            (&[b""], None),
            (&[b"done"], None),
        ];
        for (frames, expected) in cases {
            assert_eq!(parse(&message(frames)), expected, "{frames:?}");
        }
        assert_eq!(parse_cut(&message(&[b"", b"NACK"])), Reply::Nack { delay: None });
        assert_eq!(parse_cut(&message(&[b""])), Reply::Ack);
    }
}
