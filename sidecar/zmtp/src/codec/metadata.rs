//! The properties of READY: a name (length byte) and a value (four-byte length) each.

use bytes::Bytes;

use super::command::{push_command, push_short};
use super::limits::{MAX_IDENTITY, MAX_PROPERTIES};
use super::reason::CloseReason;
use super::socket_type::SocketType;

/// What we use of a peer's properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Socket-Type.
    pub socket: SocketType,
    /// Identity, the routing id that the application set; empty without one. Not unique.
    pub identity: Bytes,
}

impl Metadata {
    /// Decodes the properties. Names are compared without regard to case (RFC 37); of a property
    /// that comes twice the last counts, as with libzmq.
    ///
    /// # Errors
    /// `BadCommand` when malformed, `ReadyTooLarge` with too many properties, `SocketType` when
    /// that is missing or unknown.
    pub fn decode(mut data: &[u8]) -> Result<Self, CloseReason> {
        let (mut socket, mut identity) = (None, Bytes::new());
        let mut properties = 0;
        while !data.is_empty() {
            properties += 1;
            if properties > MAX_PROPERTIES {
                return Err(CloseReason::ReadyTooLarge);
            }
            let (name, value, rest) = property(data).ok_or(CloseReason::BadCommand)?;
            data = rest;
            if name.eq_ignore_ascii_case(b"Socket-Type") {
                socket = SocketType::from_name(value);
            } else if name.eq_ignore_ascii_case(b"Identity") {
                if value.len() > MAX_IDENTITY {
                    return Err(CloseReason::BadCommand);
                }
                identity = Bytes::copy_from_slice(value);
            }
        }
        Ok(Self { socket: socket.ok_or(CloseReason::SocketType)?, identity })
    }
}

fn property(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (&len, rest) = data.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(len))?;
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(byte);
    if name.is_empty() || !name.iter().all(legal) {
        return None;
    }
    let (len, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    Some((name, value, rest))
}

/// Appends the READY command of a socket of this type.
pub fn push_ready(out: &mut Vec<u8>, socket: SocketType) {
    let mut data = Vec::new();
    push_property(&mut data, "Socket-Type", socket.name());
    push_command(out, "READY", &[&data]);
}

fn push_property(out: &mut Vec<u8>, name: &str, value: &str) {
    push_short(out, name.as_bytes());
    out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(properties: &[(&str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in properties {
            push_property(&mut out, name, value);
        }
        out
    }

    #[test]
    fn ready_is_wire_exact() {
        let mut out = Vec::new();
        push_ready(&mut out, SocketType::Pull);
        assert_eq!(out, b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL");
    }

    #[test]
    fn names_are_case_insensitive_and_the_last_of_a_kind_counts() {
        let data = encoded(&[("SOCKET-type", "PUSH"), ("identity", "one"), ("Identity", "two")]);
        assert_eq!(
            Metadata::decode(&data),
            Ok(Metadata { socket: SocketType::Push, identity: Bytes::from_static(b"two") })
        );
    }

    #[test]
    fn limits_and_missing_types() {
        let decode = |properties: &[(&str, &str)]| Metadata::decode(&encoded(properties));
        assert_eq!(decode(&[]), Err(CloseReason::SocketType));
        assert_eq!(decode(&[("Socket-Type", "STREAM")]), Err(CloseReason::SocketType));
        assert_eq!(decode(&[("X-Other", ""); 33]), Err(CloseReason::ReadyTooLarge));
        let long = "i".repeat(256);
        assert_eq!(
            decode(&[("Socket-Type", "REQ"), ("Identity", &long)]),
            Err(CloseReason::BadCommand)
        );
        assert!(decode(&[("Socket-Type", "REQ"), ("Identity", &long[1..])]).is_ok());
        assert_eq!(decode(&[("So cket", "")]), Err(CloseReason::BadCommand));
        assert_eq!(decode(&[("", "")]), Err(CloseReason::BadCommand));
    }

    proptest! {
        #[test]
        fn any_cut_is_an_error_or_a_whole(cut in 0usize..44, byte: u8, at in 0usize..44) {
            let mut data = encoded(&[("Socket-Type", "DEALER"), ("Identity", "abcdefghi")]);
            prop_assert_eq!(data.len(), 44);
            data[at] = byte;
            let _ = Metadata::decode(&data[..cut]);
        }
    }
}
