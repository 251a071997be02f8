//! Credit delivery towards a DEALER application: what the sidecar says, and the verbs it hears. What
//! differs for a REQ is in [`super::fetch`].
//!
//! Sidecar: `HELLO 1 stream_id`, `MSG token attempt seq "" body..`, `ERR code text`. Application:
//! `CREDIT n`, `ACK token..`, `NACK token [delay_ms]`, `REJECT token [reason]`, `EXTEND token ms`.
//! Nothing here knows which leases exist: it hands on what a verb says.
//!
//! An application that writes like a REQ, with an empty frame before the verb, is understood: no
//! verb is empty, so nothing is ambiguous. Nothing is answered in that form. A lone empty frame is
//! what `ZMQ_PROBE_ROUTER` sends and means nothing here.

use std::time::Duration;

use super::decimal::{self, Decimal};
use super::refusal::Refusal;
use super::token::{Origin, StreamId, Token};
use crate::delivery::LeaseKey;
use lifeboat_zmtp::{frames, push_frame};

/// Most tokens in one `ACK`.
pub const MAX_TOKENS: usize = 1024;
/// Frames of the longest verb: a REQ's request id, a delimiter, `ACK`, and its tokens.
pub const MAX_PARTS: u32 = 1027;
/// Bytes of the longest verb: that, or a `REJECT` with a long reason.
pub const MAX_BYTES: u64 = 64 << 10;
/// Longest `delay_ms` of a `NACK` and `ms` of an `EXTEND`: seven days.
pub const MAX_DELAY: Duration = Duration::from_secs(7 * 24 * 3600);
/// Bytes of a `REJECT`'s reason that are kept; a longer one is cut, for the verdict matters more.
pub const MAX_REASON: usize = 1024;

/// Appends `HELLO 1 stream_id`, the stream id as 32 hex digits.
pub fn append_hello(out: &mut Vec<u8>, stream: &StreamId) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(stream) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    push_frame(out, true, b"HELLO");
    push_frame(out, true, b"1");
    push_frame(out, false, &digits);
}

/// Appends `MSG token attempt seq ""`. The stored body must follow: it ends the message.
pub fn append_msg_prefix(out: &mut Vec<u8>, origin: Origin, lease: LeaseKey) {
    push_frame(out, true, b"MSG");
    push_frame(out, true, &Token::new(origin, lease).encode());
    push_frame(out, true, Decimal::new(u64::from(lease.attempt)).as_bytes());
    push_frame(out, true, Decimal::new(lease.seq).as_bytes());
    push_frame(out, true, b"");
}

/// What an application says in one message.
#[derive(Debug, Clone)]
pub enum Verb<'a> {
    /// A lone empty frame: ignored.
    Probe,
    /// The most records this connection wants in flight; absolute, 0 stops.
    Credit(u32),
    /// These hand-outs are done.
    Ack(Acked<'a>),
    /// This hand-out failed.
    Nack {
        /// The hand-out.
        lease: LeaseKey,
        /// Time to redelivery; the delivery's backoff when absent.
        delay: Option<Duration>,
    },
    /// This record can never be handled.
    Reject {
        /// The hand-out.
        lease: LeaseKey,
        /// For the dead letter; empty when absent, at most [`MAX_REASON`] bytes, any bytes.
        reason: &'a [u8],
    },
    /// This hand-out takes longer.
    Extend {
        /// The hand-out.
        lease: LeaseKey,
        /// From now.
        time: Duration,
    },
}

/// The hand-outs named by one `ACK`.
#[derive(Debug, Clone, Copy)]
pub struct Acked<'a> {
    /// Wire bytes of the token frames.
    tokens: &'a [u8],
    origin: Origin,
}

impl<'a> Acked<'a> {
    /// Each hand-out, decoded as it is asked for. One bad token does not spoil the others.
    pub fn leases(self) -> impl Iterator<Item = Result<LeaseKey, Refusal>> + 'a {
        frames(self.tokens).map(move |frame| lease_of(frame.body, self.origin))
    }
}

/// Parses one message of a DEALER application on the delivery `origin`.
pub fn parse(wire: &[u8], origin: Origin) -> Result<Verb<'_>, Refusal> {
    let (mut verb, mut arguments) = first_frame(wire);
    if verb.is_empty() {
        if arguments.is_empty() {
            return Ok(Verb::Probe);
        }
        (verb, arguments) = first_frame(arguments);
    }
    match verb {
        b"CREDIT" => credit(arguments).ok_or(Refusal::Credit),
        b"FETCH" | b"NEXT" => Err(Refusal::ReqOnly),
        _ => verdict(verb, arguments, origin),
    }
}

/// Parses what any application may say about records that it has.
pub(super) fn verdict<'a>(
    verb: &[u8],
    arguments: &'a [u8],
    origin: Origin,
) -> Result<Verb<'a>, Refusal> {
    match verb {
        b"ACK" => acked(arguments, origin),
        b"NACK" => nack(arguments, origin),
        b"REJECT" => reject(arguments, origin),
        b"EXTEND" => extend(arguments, origin),
        _ => Err(Refusal::UnknownVerb),
    }
}

fn acked(tokens: &[u8], origin: Origin) -> Result<Verb<'_>, Refusal> {
    match frames(tokens).take(MAX_TOKENS + 1).count() {
        1..=MAX_TOKENS => Ok(Verb::Ack(Acked { tokens, origin })),
        _ => Err(Refusal::Ack),
    }
}

fn credit(wire: &[u8]) -> Option<Verb<'_>> {
    let (count, None) = one_or_two(wire)? else { return None };
    Some(Verb::Credit(u32::try_from(decimal::parse(count)?).ok()?))
}

fn nack(wire: &[u8], origin: Origin) -> Result<Verb<'_>, Refusal> {
    let (token, delay) = one_or_two(wire).ok_or(Refusal::Nack)?;
    let delay = delay.map(|text| milliseconds(text).ok_or(Refusal::Nack)).transpose()?;
    Ok(Verb::Nack { lease: lease_of(token, origin)?, delay })
}

fn reject(wire: &[u8], origin: Origin) -> Result<Verb<'_>, Refusal> {
    let (token, reason) = one_or_two(wire).ok_or(Refusal::Reject)?;
    let reason = reason.unwrap_or_default();
    let reason = reason.get(..MAX_REASON).unwrap_or(reason);
    Ok(Verb::Reject { lease: lease_of(token, origin)?, reason })
}

fn extend(wire: &[u8], origin: Origin) -> Result<Verb<'_>, Refusal> {
    let Some((token, Some(time))) = one_or_two(wire) else { return Err(Refusal::Extend) };
    let time = milliseconds(time).ok_or(Refusal::Extend)?;
    Ok(Verb::Extend { lease: lease_of(token, origin)?, time })
}

/// The first frame's body, and the wire bytes of the frames behind it.
pub(super) fn first_frame(wire: &[u8]) -> (&[u8], &[u8]) {
    frames(wire).next().map_or((&[], &[]), |frame| (frame.body, &wire[frame.wire.len()..]))
}

/// The bodies of one or two frames; `None` for any other number.
pub(super) fn one_or_two(wire: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let mut bodies = frames(wire).map(|frame| frame.body);
    let (first, second) = (bodies.next()?, bodies.next());
    bodies.next().is_none().then_some((first, second))
}

pub(super) fn milliseconds(text: &[u8]) -> Option<Duration> {
    decimal::parse(text).map(Duration::from_millis).filter(|time| *time <= MAX_DELAY)
}

pub(super) fn lease_of(token: &[u8], origin: Origin) -> Result<LeaseKey, Refusal> {
    let token = Token::decode(token).ok_or(Refusal::NotAToken)?;
    if token.is_of(origin) { Ok(token.lease) } else { Err(Refusal::ForeignToken) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::token::TOKEN_LEN;
    use super::*;
    use crate::wire::testing::message;

    const ORIGIN: Origin = Origin { stream: *b"0123456789abcdef", delivery: 3 };
    const LEASE: LeaseKey = LeaseKey { epoch: 5, seq: 1234, attempt: 2 };

    fn token() -> [u8; TOKEN_LEN] {
        Token::new(ORIGIN, LEASE).encode()
    }

    fn refusal(frames: &[&[u8]]) -> Option<Refusal> {
        parse(&message(frames), ORIGIN).err()
    }

    #[test]
    fn hello_shows_the_version_and_the_stream_id_in_hex() {
        let mut out = Vec::new();
        append_hello(&mut out, &ORIGIN.stream);
        assert_eq!(out, message(&[b"HELLO", b"1", b"30313233343536373839616263646566"]));
    }

    #[test]
    fn a_msg_is_its_prefix_and_the_stored_body() {
        let mut out = Vec::new();
        append_msg_prefix(&mut out, ORIGIN, LEASE);
        out.extend(message(&[b"x", b"y"]));
        assert_eq!(out, message(&[b"MSG", &token(), b"2", b"1234", b"", b"x", b"y"]));
    }

    #[test]
    fn each_verb_is_understood() {
        let wire = message(&[b"CREDIT", b"64"]);
        assert!(matches!(parse(&wire, ORIGIN), Ok(Verb::Credit(64))));
        let wire = message(&[b"NACK", &token()]);
        assert!(matches!(parse(&wire, ORIGIN), Ok(Verb::Nack { lease: LEASE, delay: None })));
        let wire = message(&[b"NACK", &token(), b"250"]);
        let delay = Duration::from_millis(250);
        assert!(
            matches!(parse(&wire, ORIGIN), Ok(Verb::Nack { delay: Some(it), .. }) if it == delay)
        );
        let wire = message(&[b"REJECT", &token()]);
        assert!(matches!(parse(&wire, ORIGIN), Ok(Verb::Reject { lease: LEASE, reason: b"" })));
        let wire = message(&[b"EXTEND", &token(), b"250"]);
        assert!(
            matches!(parse(&wire, ORIGIN), Ok(Verb::Extend { lease: LEASE, time }) if time == delay)
        );
    }

    #[test]
    fn a_verb_behind_an_empty_frame_is_understood_and_a_lone_empty_frame_ignored() {
        let wire = message(&[b"", b"CREDIT", b"0"]);
        assert!(matches!(parse(&wire, ORIGIN), Ok(Verb::Credit(0))));
        assert!(matches!(parse(&message(&[b""]), ORIGIN), Ok(Verb::Probe)));
    }

    #[test]
    fn an_ack_takes_up_to_1024_tokens_and_a_bad_one_spoils_no_other() {
        let token = token();
        let foreign = Token::new(Origin { delivery: 4, ..ORIGIN }, LEASE).encode();
        let wire = message(&[b"ACK", &token, b"junk", &foreign, &token]);
        let Ok(Verb::Ack(acked)) = parse(&wire, ORIGIN) else { panic!("not an ACK") };
        let expected = [Ok(LEASE), Err(Refusal::NotAToken), Err(Refusal::ForeignToken), Ok(LEASE)];
        assert_eq!(acked.leases().collect::<Vec<_>>(), expected);

        let mut frames: Vec<&[u8]> = vec![b"ACK"];
        assert_eq!(refusal(&frames), Some(Refusal::Ack));
        assert_eq!(MAX_PARTS as usize, 3 + MAX_TOKENS);
        frames.extend(std::iter::repeat_n(&token[..], MAX_TOKENS));
        assert_eq!(refusal(&frames), None);
        frames.push(&token);
        assert_eq!(refusal(&frames), Some(Refusal::Ack));
    }

    #[test]
    fn a_long_reason_is_cut_not_refused() {
        let wire = message(&[b"REJECT", &token(), &[b'x'; MAX_REASON + 1]]);
        assert!(
            matches!(parse(&wire, ORIGIN), Ok(Verb::Reject { reason, .. }) if reason.len() == MAX_REASON)
        );
    }

    #[test]
    fn malformed_verbs_are_refused_by_name() {
        let token = token();
        let cases: [(&[&[u8]], Refusal); 16] = [
            (&[b"credit", b"1"], Refusal::UnknownVerb),
            (&[b"", b""], Refusal::UnknownVerb),
            (&[b"FETCH"], Refusal::ReqOnly),
            (&[b"NEXT", &token], Refusal::ReqOnly),
            (&[b"CREDIT"], Refusal::Credit),
            (&[b"CREDIT", b"-1"], Refusal::Credit),
            (&[b"CREDIT", b"4294967296"], Refusal::Credit),
            (&[b"CREDIT", b"1", b"2"], Refusal::Credit),
            (&[b"NACK"], Refusal::Nack),
            (&[b"NACK", &token, b""], Refusal::Nack),
            (&[b"NACK", &token, b"604800001"], Refusal::Nack),
            (&[b"NACK", b"x"], Refusal::NotAToken),
            (&[b"REJECT", &token, b"a", b"b"], Refusal::Reject),
            (&[b"EXTEND", &token], Refusal::Extend),
            (&[b"EXTEND", &token, b"1s"], Refusal::Extend),
            (&[b"EXTEND", &token, b"604800001"], Refusal::Extend),
        ];
        for (frames, expected) in cases {
            assert_eq!(refusal(frames), Some(expected), "{frames:?}");
        }
    }

    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let words = ["", "ACK", "CREDIT", "NACK", "REJECT", "EXTEND", "FETCH", "0", "99"];
        prop_oneof![
            4 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
            2 => Just(token().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..300),
        ]
    }

    proptest! {
        #[test]
        fn any_frames_are_a_verb_or_a_refusal(
            bodies in prop::collection::vec(frame(), 1..6),
            cut in 0usize..20,
        ) {
            let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
            let mut wire = message(&bodies);
            wire.truncate(wire.len().saturating_sub(cut));
            match parse(&wire, ORIGIN) {
                Ok(Verb::Ack(acked)) => prop_assert!((1..=bodies.len()).contains(&acked.leases().count())),
                Ok(Verb::Nack { lease, .. } | Verb::Reject { lease, .. } | Verb::Extend { lease, .. }) => {
                    prop_assert_eq!(lease, LEASE);
                }
                Ok(Verb::Probe | Verb::Credit(_)) => {}
                Err(refusal) => prop_assert!(!refusal.to_string().is_empty()),
            }
        }
    }
}
