//! The NULL mechanism, our side. Where a peer connected to us we wait for its READY and answer READY
//! or ERROR; where we connected to it we speak first, for it may wait as we would.
//!
//! RFC 37 lets either side speak first. Waiting tells an unfit peer why it is refused before it
//! believes that it is connected.

use super::command::{Command, push_error};
use super::metadata::{Metadata, push_ready};
use super::reason::CloseReason;
use super::socket_type::SocketType;

/// The name of the mechanism in the greeting.
pub const NAME: &str = "NULL";

/// Which end of a connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The peer connected to us.
    Listener,
    /// We connected to the peer, and have sent READY.
    Connector,
}

/// Handles the one command of the peer's handshake.
///
/// # Errors
/// The reason to close; what the peer should be told first is in `out`.
pub fn receive(
    body: &[u8],
    role: Role,
    socket: SocketType,
    accepts: &[SocketType],
    out: &mut Vec<u8>,
) -> Result<Metadata, CloseReason> {
    let data = match Command::decode(body)? {
        Command::Ready(data) => data,
        Command::Error(_) => return Err(CloseReason::PeerError),
        Command::Ping { .. } | Command::Pong | Command::Other => {
            return Err(CloseReason::BadCommand);
        }
    };
    let fit = Metadata::decode(data).and_then(|metadata| {
        let fits = socket.may_talk_to(metadata.socket) && accepts.contains(&metadata.socket);
        if fits { Ok(metadata) } else { Err(CloseReason::SocketType) }
    });
    match fit {
        Ok(_) if role == Role::Listener => push_ready(out, socket),
        Ok(_) => {}
        Err(CloseReason::SocketType) => push_error(out, "Socket type is not served here"),
        Err(_) => push_error(out, "Invalid READY"),
    }
    fit
}
