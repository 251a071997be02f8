//! Who is told about connections.

use std::io;

use super::peer::Peer;
use crate::codec::reason::CloseReason;

/// Told about connections, for metrics. Called from the connections' tasks: be quick.
pub trait Observer: std::fmt::Debug + Send + Sync + 'static {
    /// A handshake ended well.
    fn connected(&self, peer: &Peer);
    /// A connected peer is gone; exactly once for each.
    fn closed(&self, peer: &Peer, reason: CloseReason);
    /// A connection never got through its handshake.
    fn refused(&self, address: &str, reason: CloseReason);
    /// Accepting failed, for example for want of file descriptors; the loop goes on.
    fn accept_failed(&self, error: &io::Error);
    /// Nothing could be connected to at an endpoint; it is tried again. Timeouts are `TimedOut`.
    fn connect_failed(&self, endpoint: &str, error: &io::Error);
}
