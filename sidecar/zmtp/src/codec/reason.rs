//! Why a connection ended: a closed set, each with a label that metrics can rely on.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident => $label:literal,)+) => {
        /// Why a connection was refused or closed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum CloseReason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl CloseReason {
            /// Every reason, so that metrics can show a zero for those that never occurred.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable metric label, in snake case.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)+
                }
            }
        }
    };
}

reasons! {
    /// The peer did not finish greeting and READY before the deadline.
    HandshakeTimeout => "handshake_timeout",
    /// The first bytes are not a ZMTP greeting: an HTTP client, a port scan, garbage.
    NotZmtp => "not_zmtp",
    /// A ZMTP 1.0 or 2.0 peer (libzmq before 4.0).
    OldVersion => "old_version",
    /// The peer wants another security mechanism than this listener's.
    Mechanism => "mechanism",
    /// The peer's socket type is missing, unknown, or not served here.
    SocketType => "socket_type",
    /// READY is longer than 4 KiB or has more than 32 properties.
    ReadyTooLarge => "ready_too_large",
    /// One frame announces more bytes than a message may have.
    FrameTooLarge => "frame_too_large",
    /// The frames of a message add up to more bytes than it may have.
    MessageTooLarge => "message_too_large",
    /// A message has more frames than it may have.
    TooManyParts => "too_many_parts",
    /// A frame's flags use reserved bits.
    ReservedBits => "reserved_bits",
    /// A command is malformed, too long, or not allowed where it came.
    BadCommand => "bad_command",
    /// The peer sent an ERROR command.
    PeerError => "peer_error",
    /// The peer sent a message on a socket type that only receives.
    UnexpectedMessage => "unexpected_message",
    /// Nothing arrived for the heartbeat timeout, or for the TTL that the peer asked for.
    HeartbeatTimeout => "heartbeat_timeout",
    /// The listener already has as many connections as it may have.
    TooManyConnections => "too_many_connections",
    /// A message found no room within the memory budget for too long.
    Memory => "memory",
    /// The peer closed or reset the connection.
    PeerClosed => "peer_closed",
    /// The operating system reported another error.
    Io => "io",
    /// The listener is stopping.
    Shutdown => "shutdown",
    /// The handler ended the connection without naming a reason.
    Handler => "handler",
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl std::error::Error for CloseReason {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn labels_are_distinct_and_snake_case() {
        let labels: HashSet<_> = CloseReason::ALL.iter().map(|reason| reason.label()).collect();
        assert_eq!(labels.len(), CloseReason::ALL.len());
        for label in labels {
            assert!(label.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{label}");
        }
    }
}
