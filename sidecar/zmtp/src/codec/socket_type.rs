//! ZeroMQ socket types and who may talk to whom.

use std::fmt;

/// A socket type of ZMTP (RFC 37, "The Socket Type Property").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketType {
    /// REQ.
    Req,
    /// REP.
    Rep,
    /// DEALER.
    Dealer,
    /// ROUTER.
    Router,
    /// PUB.
    Pub,
    /// XPUB.
    Xpub,
    /// SUB.
    Sub,
    /// XSUB.
    Xsub,
    /// PUSH.
    Push,
    /// PULL.
    Pull,
    /// PAIR.
    Pair,
}

impl SocketType {
    const ALL: [Self; 11] = [
        Self::Req,
        Self::Rep,
        Self::Dealer,
        Self::Router,
        Self::Pub,
        Self::Xpub,
        Self::Sub,
        Self::Xsub,
        Self::Push,
        Self::Pull,
        Self::Pair,
    ];

    /// The name as it stands in READY.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Req => "REQ",
            Self::Rep => "REP",
            Self::Dealer => "DEALER",
            Self::Router => "ROUTER",
            Self::Pub => "PUB",
            Self::Xpub => "XPUB",
            Self::Sub => "SUB",
            Self::Xsub => "XSUB",
            Self::Push => "PUSH",
            Self::Pull => "PULL",
            Self::Pair => "PAIR",
        }
    }

    /// The type with this name; `None` for any other text, STREAM and the draft types included.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().as_bytes() == name)
    }

    /// Whether the RFC lets `self` and `peer` talk to each other.
    pub fn may_talk_to(self, peer: Self) -> bool {
        use SocketType::{Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub, Xpub, Xsub};
        match self {
            Req => matches!(peer, Rep | Router),
            Rep => matches!(peer, Req | Dealer),
            Dealer => matches!(peer, Rep | Dealer | Router),
            Router => matches!(peer, Req | Dealer | Router),
            Pub | Xpub => matches!(peer, Sub | Xsub),
            Sub | Xsub => matches!(peer, Pub | Xpub),
            Push => peer == Pull,
            Pull => peer == Push,
            Pair => peer == Pair,
        }
    }

    /// Whether a peer may send messages to a socket of this type. PUB counts: subscriptions of
    /// 3.0 peers come as messages.
    pub fn receives(self) -> bool {
        self != Self::Push
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_symmetric() {
        for a in SocketType::ALL {
            for b in SocketType::ALL {
                assert_eq!(a.may_talk_to(b), b.may_talk_to(a), "{a} {b}");
            }
        }
    }

    #[test]
    fn names_go_there_and_back_and_are_case_sensitive() {
        for kind in SocketType::ALL {
            assert_eq!(SocketType::from_name(kind.name().as_bytes()), Some(kind));
        }
        assert_eq!(SocketType::from_name(b"pull"), None);
        assert_eq!(SocketType::from_name(b"STREAM"), None);
        assert_eq!(SocketType::from_name(b""), None);
    }

    #[test]
    fn pull_takes_push_only_and_router_its_three() {
        let peers = |of: SocketType| {
            SocketType::ALL.into_iter().filter(|&peer| of.may_talk_to(peer)).collect::<Vec<_>>()
        };
        assert_eq!(peers(SocketType::Pull), [SocketType::Push]);
        assert_eq!(
            peers(SocketType::Router),
            [SocketType::Req, SocketType::Dealer, SocketType::Router]
        );
    }
}
