//! Command frames: a name with its length, then data (RFC 37, "Commands").

use std::time::Duration;

use super::frame::{COMMAND, push};
use super::limits::MAX_PING_CONTEXT;
use super::reason::CloseReason;

/// A decoded command, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// The end of the handshake: metadata, not decoded yet.
    Ready(&'a [u8]),
    /// The peer gives up; the reason is for people.
    Error(&'a [u8]),
    /// A heartbeat to be answered with the same context.
    Ping {
        /// How long the peer's silence is to be taken for life; zero means for ever.
        ttl: Duration,
        /// At most 16 bytes.
        context: &'a [u8],
    },
    /// The answer to a PING.
    Pong,
    /// Any other command. libzmq ignores these, so do we: SUBSCRIBE to a socket that does not
    /// publish, and whatever later versions add.
    Other,
}

impl<'a> Command<'a> {
    /// Decodes the body of a COMMAND frame.
    ///
    /// # Errors
    /// `BadCommand` for a name that is empty or cut off, and for data that does not fit the name.
    pub fn decode(body: &'a [u8]) -> Result<Self, CloseReason> {
        let (&len, rest) = body.split_first().ok_or(CloseReason::BadCommand)?;
        let (name, data) =
            rest.split_at_checked(usize::from(len)).ok_or(CloseReason::BadCommand)?;
        match name {
            b"READY" => Ok(Self::Ready(data)),
            b"ERROR" => match data.split_first() {
                Some((&len, reason)) if reason.len() == usize::from(len) => Ok(Self::Error(reason)),
                _ => Err(CloseReason::BadCommand),
            },
            b"PING" => match *data {
                [high, low, ref context @ ..] if context.len() <= MAX_PING_CONTEXT => {
                    let tenths = u16::from_be_bytes([high, low]);
                    Ok(Self::Ping { ttl: Duration::from_millis(u64::from(tenths) * 100), context })
                }
                _ => Err(CloseReason::BadCommand),
            },
            b"PONG" if data.len() <= MAX_PING_CONTEXT => Ok(Self::Pong),
            b"" | b"PONG" => Err(CloseReason::BadCommand),
            _ => Ok(Self::Other),
        }
    }
}

/// Appends a whole command frame. `name` is at most 255 bytes.
pub(crate) fn push_command(out: &mut Vec<u8>, name: &str, data: &[&[u8]]) {
    let mut body = Vec::with_capacity(1 + name.len() + data.iter().map(|d| d.len()).sum::<usize>());
    push_short(&mut body, name.as_bytes());
    for part in data {
        body.extend_from_slice(part);
    }
    push(out, COMMAND, &body);
}

/// Appends an ERROR command. A reason over 255 bytes is cut.
pub fn push_error(out: &mut Vec<u8>, reason: &str) {
    let mut data = Vec::new();
    push_short(&mut data, reason.as_bytes());
    push_command(out, "ERROR", &[&data]);
}

/// Appends a PING without TTL and context: we write only when there is something to write, so a
/// peer must not take our silence for death.
pub fn push_ping(out: &mut Vec<u8>) {
    push_command(out, "PING", &[&[0, 0]]);
}

/// Appends the PONG to a PING.
pub fn push_pong(out: &mut Vec<u8>, context: &[u8]) {
    push_command(out, "PONG", &[context]);
}

/// Appends a length byte and up to 255 bytes.
pub(crate) fn push_short(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    out.push(len);
    out.extend_from_slice(&bytes[..usize::from(len)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ping_and_pong_are_wire_exact() {
        let mut out = Vec::new();
        push_ping(&mut out);
        assert_eq!(out, b"\x04\x07\x04PING\0\0");
        out.clear();
        push_pong(&mut out, b"abc");
        assert_eq!(out, b"\x04\x08\x04PONGabc");
        out.clear();
        push_error(&mut out, "no");
        assert_eq!(out, b"\x04\x09\x05ERROR\x02no");
    }

    #[test]
    fn decodes_ttl_in_tenths_of_a_second_and_the_context() {
        assert_eq!(
            Command::decode(b"\x04PING\x01\x02ctx"),
            Ok(Command::Ping { ttl: Duration::from_millis(25_800), context: b"ctx" })
        );
        assert!(Command::decode(b"\x04PING\0\x000123456789abcdef").is_ok());
        assert_eq!(
            Command::decode(b"\x04PING\0\x000123456789abcdefg"),
            Err(CloseReason::BadCommand)
        );
    }

    #[test]
    fn malformed_commands_are_refused() {
        for body in [
            &b""[..],
            b"\0",
            b"\0READY",
            b"\x06READY",
            b"\x04PING",
            b"\x04PING\0",
            b"\x05ERROR",
            b"\x05ERROR\x05ab",
            b"\x04PONG0123456789abcdefg",
        ] {
            assert_eq!(Command::decode(body), Err(CloseReason::BadCommand), "{body:?}");
        }
    }

    #[test]
    fn unknown_commands_and_other_letter_case_are_no_error() {
        assert_eq!(Command::decode(b"\x09SUBSCRIBEtopic"), Ok(Command::Other));
        assert_eq!(Command::decode(b"\x05ready"), Ok(Command::Other));
    }
}
