//! Who is at the other end.

use bytes::Bytes;

use crate::codec::greeting::Version;
use crate::codec::socket_type::SocketType;

/// A peer that has finished its handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Unique among all connections of this process.
    pub id: u64,
    /// Its socket type.
    pub socket: SocketType,
    /// The routing id that its application set; empty without one. Not unique, not to be trusted.
    pub identity: Bytes,
    /// The protocol spoken with it.
    pub version: Version,
    /// Its address: `tcp://1.2.3.4:5` or `ipc://` with the path of our listener; where we
    /// connected, the endpoint.
    pub address: String,
}
