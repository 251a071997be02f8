//! From the first byte to the end of READY, without I/O: greeting, then the mechanism's commands.

use super::frame::{COMMAND, Header, LONG, MORE};
use super::greeting::{GreetingDecoder, Version, greeting};
use super::limits::MAX_COMMAND;
use super::metadata::{Metadata, push_ready};
use super::null::{self, Role};
use super::reason::CloseReason;
use super::socket_type::SocketType;

/// Our side of one handshake.
///
/// Give it the unconsumed bytes each time more have come; everything it writes goes to the peer
/// at once, even when it refuses.
#[derive(Debug)]
pub struct Handshake {
    role: Role,
    socket: SocketType,
    accepts: &'static [SocketType],
    greeting: GreetingDecoder,
    version: Option<Version>,
}

/// How a call to [`Handshake::receive`] went.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes to drop from the front of what was given.
    pub used: usize,
    /// Who the peer is, once the handshake has ended. Bytes after `used` are traffic.
    pub peer: Option<(Version, Metadata)>,
}

impl Handshake {
    /// A handshake with a peer just after one of us connected; `out` gets our greeting.
    pub fn new(
        role: Role,
        socket: SocketType,
        accepts: &'static [SocketType],
        out: &mut Vec<u8>,
    ) -> Self {
        out.extend_from_slice(&greeting(null::NAME));
        Self { role, socket, accepts, greeting: GreetingDecoder::new(null::NAME), version: None }
    }

    /// Goes as far as `bytes` allow.
    ///
    /// # Errors
    /// The reason to refuse the peer; `out` may hold an ERROR to send first.
    pub fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Received, CloseReason> {
        let mut used = 0;
        let version = match self.version {
            Some(version) => version,
            None => match self.greeting.decode(bytes)? {
                (all, None) => return Ok(Received { used: all, peer: None }),
                (greeting, Some(version)) => {
                    used = greeting;
                    if self.role == Role::Connector {
                        push_ready(out, self.socket);
                    }
                    *self.version.insert(version)
                }
            },
        };
        let Some((body, len)) = command(&bytes[used..])? else {
            return Ok(Received { used, peer: None });
        };
        let metadata = null::receive(body, self.role, self.socket, self.accepts, out)?;
        Ok(Received { used: used + len, peer: Some((version, metadata)) })
    }
}

/// The body of the command at the start of `bytes` and the length of its frame; `None` until it
/// is complete. The header alone is enough to refuse.
fn command(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, CloseReason> {
    if let Some(&flags) = bytes.first() {
        if flags & !(MORE | LONG | COMMAND) != 0 {
            return Err(CloseReason::ReservedBits);
        }
        if flags & COMMAND == 0 || flags & MORE != 0 {
            return Err(CloseReason::BadCommand);
        }
    }
    let Ok(header) = Header::decode(bytes) else { return Ok(None) };
    if header.size > MAX_COMMAND {
        return Err(CloseReason::ReadyTooLarge);
    }
    let end = usize::try_from(header.size).map_or(usize::MAX, |size| header.len + size);
    Ok(bytes.get(header.len..end).map(|body| (body, end)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const READY_PUSH: &[u8] = b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH";

    fn handshake(out: &mut Vec<u8>) -> Handshake {
        Handshake::new(Role::Listener, SocketType::Pull, &[SocketType::Push], out)
    }

    fn after_greeting(bytes: &[u8]) -> (Result<Received, CloseReason>, Vec<u8>) {
        let mut out = Vec::new();
        let mut handshake = handshake(&mut out);
        assert_eq!(out, greeting("NULL"));
        out.clear();
        let all = [&greeting("NULL")[..], bytes].concat();
        (handshake.receive(&all, &mut out), out)
    }

    #[test]
    fn a_push_is_answered_ready_and_what_follows_is_left() {
        let (received, out) = after_greeting(&[READY_PUSH, b"\0\x01x"].concat());
        let received = received.unwrap();
        assert_eq!(received.used, 64 + READY_PUSH.len());
        let (version, metadata) = received.peer.unwrap();
        assert_eq!((version, metadata.socket), (Version::V3_1, SocketType::Push));
        assert_eq!(out, b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL");
    }

    #[test]
    fn two_ends_understand_each_other_whoever_is_first() {
        let (mut to_listener, mut to_connector) = (Vec::new(), Vec::new());
        let (pull, push) = (SocketType::Pull, SocketType::Push);
        let mut connector =
            Handshake::new(Role::Connector, push, &[SocketType::Pull], &mut to_listener);
        let mut listener =
            Handshake::new(Role::Listener, pull, &[SocketType::Push], &mut to_connector);
        // The greeting alone makes the one that connected speak.
        assert_eq!(connector.receive(&to_connector, &mut to_listener).unwrap().used, 64);
        to_connector.clear();
        let heard = listener.receive(&to_listener, &mut to_connector).unwrap();
        assert_eq!((heard.used, heard.peer.unwrap().1.socket), (to_listener.len(), push));
        to_listener.clear();
        let heard = connector.receive(&to_connector, &mut to_listener).unwrap();
        assert_eq!((heard.used, heard.peer.unwrap().1.socket), (to_connector.len(), pull));
        assert_eq!(to_listener, b"", "READY was said before");
    }

    #[test]
    fn an_unfit_type_is_told_why() {
        let (received, out) = after_greeting(b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB");
        assert_eq!(received, Err(CloseReason::SocketType));
        assert_eq!(out, b"\x04\x25\x05ERROR\x1eSocket type is not served here");
    }

    #[test]
    fn the_header_is_enough_to_refuse() {
        for (bytes, reason) in [
            (&b"\x02\0\0\x01\0\0\0\0\0"[..], CloseReason::BadCommand),
            (b"\x06\0\0\x01\0\0\0\0\0", CloseReason::ReadyTooLarge),
            (b"\x06\x80\0\0\0\0\0\0\0", CloseReason::ReadyTooLarge),
            (b"\x05", CloseReason::BadCommand),
            (b"\x0c", CloseReason::ReservedBits),
            (b"\0", CloseReason::BadCommand),
            (b"\x04\0", CloseReason::BadCommand),
            (b"\x04\x0a\x05ERROR\x03400", CloseReason::PeerError),
            (b"\x04\x07\x04PING\0\0", CloseReason::BadCommand),
        ] {
            assert_eq!(after_greeting(bytes).0, Err(reason), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_split_ends_the_same(cuts in prop::collection::vec(0usize..95, 0..6)) {
            let all = [&greeting("NULL")[..], READY_PUSH, b"\0\x01x"].concat();
            let mut cuts = cuts;
            cuts.push(all.len());
            cuts.sort_unstable();
            let mut out = Vec::new();
            let mut handshake = handshake(&mut out);
            let (mut start, mut peer) = (0, None);
            for cut in cuts {
                if peer.is_none() && start < cut {
                    let received = handshake.receive(&all[start..cut], &mut out).unwrap();
                    start += received.used;
                    peer = received.peer;
                }
            }
            prop_assert!(peer.is_some());
            prop_assert_eq!(&all[start..], b"\0\x01x");
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = after_greeting(&bytes);
        }
    }
}
