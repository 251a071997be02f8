//! Credit delivery towards a REQ application: it asks, and each of its verbs is answered once.
//!
//! `FETCH [wait_ms]` and `NEXT token [wait_ms]`, which acknowledges first, are answered with `MSG` or
//! `EMPTY`; `ACK`, `NACK`, `REJECT` and `EXTEND` with `OK`; what cannot be followed with
//! `ERR code text`. Every answer comes behind the envelope of its verb. Without `wait_ms` the
//! answer comes at once. `EMPTY` also says that it holds `maxInFlight` records already.

use std::time::Duration;

use super::credit::{self, Verb, first_frame, lease_of, milliseconds, one_or_two};
use super::refusal::Refusal;
use super::token::Origin;
use crate::delivery::LeaseKey;
use lifeboat_zmtp::push_frame;

/// What a REQ application says in one message, behind its envelope.
#[derive(Debug, Clone)]
pub enum Request<'a> {
    /// It wants a record.
    Fetch {
        /// How long it waits for one.
        wait: Duration,
    },
    /// It is done with one record and wants another.
    Next {
        /// The one that it is done with.
        done: LeaseKey,
        /// How long it waits.
        wait: Duration,
    },
    /// Something about records that it has.
    Verdict(Verb<'a>),
}

/// Parses a message's body on the delivery `origin`.
///
/// # Errors
/// The refusal to be answered.
pub fn parse(body: &[u8], origin: Origin) -> Result<Request<'_>, Refusal> {
    let (verb, arguments) = first_frame(body);
    match verb {
        b"FETCH" if arguments.is_empty() => Ok(Request::Fetch { wait: Duration::ZERO }),
        b"FETCH" => match one_or_two(arguments) {
            Some((wait, None)) => {
                Ok(Request::Fetch { wait: milliseconds(wait).ok_or(Refusal::Fetch)? })
            }
            _ => Err(Refusal::Fetch),
        },
        b"NEXT" => {
            let (token, wait) = one_or_two(arguments).ok_or(Refusal::Next)?;
            let wait = wait.map(|wait| milliseconds(wait).ok_or(Refusal::Next)).transpose()?;
            let done = lease_of(token, origin)?;
            Ok(Request::Next { done, wait: wait.unwrap_or_default() })
        }
        b"CREDIT" => Err(Refusal::DealerOnly),
        _ => credit::verdict(verb, arguments, origin).map(Request::Verdict),
    }
}

/// Appends `OK`.
pub fn append_ok(out: &mut Vec<u8>) {
    push_frame(out, false, b"OK");
}

/// Appends `EMPTY`.
pub fn append_empty(out: &mut Vec<u8>) {
    push_frame(out, false, b"EMPTY");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::message as body;
    use crate::wire::token::Token;

    const ORIGIN: Origin = Origin { stream: *b"0123456789abcdef", delivery: 3 };
    const LEASE: LeaseKey = LeaseKey { epoch: 5, seq: 1234, attempt: 2 };

    #[test]
    fn fetch_and_next_wait_as_long_as_they_say() {
        let token = Token::new(ORIGIN, LEASE).encode();
        for (wait, expected) in [(None, 0), (Some(&b"250"[..]), 250)] {
            let expected = Duration::from_millis(expected);
            let fetch = body(&[&[&b"FETCH"[..]], wait.as_slice()].concat());
            assert!(
                matches!(parse(&fetch, ORIGIN), Ok(Request::Fetch { wait }) if wait == expected)
            );
            let next = body(&[&[&b"NEXT"[..], &token], wait.as_slice()].concat());
            assert!(matches!(
                parse(&next, ORIGIN),
                Ok(Request::Next { done: LEASE, wait }) if wait == expected
            ));
        }
        let ack = body(&[b"ACK", &token]);
        assert!(matches!(parse(&ack, ORIGIN), Ok(Request::Verdict(Verb::Ack(_)))));
    }

    #[test]
    fn malformed_verbs_are_refused_by_name() {
        let token = Token::new(ORIGIN, LEASE).encode();
        let foreign = Token::new(Origin { delivery: 4, ..ORIGIN }, LEASE).encode();
        let cases: [(&[&[u8]], Refusal); 9] = [
            (&[b"FETCH", b""], Refusal::Fetch),
            (&[b"FETCH", b"soon"], Refusal::Fetch),
            (&[b"FETCH", b"1", b"2"], Refusal::Fetch),
            (&[b"NEXT"], Refusal::Next),
            (&[b"NEXT", &token, b"-1"], Refusal::Next),
            (&[b"NEXT", b"junk"], Refusal::NotAToken),
            (&[b"NEXT", &foreign], Refusal::ForeignToken),
            (&[b"CREDIT", b"1"], Refusal::DealerOnly),
            (&[b""], Refusal::UnknownVerb),
        ];
        for (frames, expected) in cases {
            assert_eq!(parse(&body(frames), ORIGIN).err(), Some(expected), "{frames:?}");
        }
    }
}
