//! The NULL mechanism, our side: wait for the peer's READY, then answer READY or ERROR.
//!
//! RFC 37 lets either side speak first. Waiting tells an unfit peer why it is refused before it
//! believes that it is connected.

use super::command::{Command, push_error};
use super::metadata::{Metadata, push_ready};
use super::reason::CloseReason;
use super::socket_type::SocketType;

/// The name of the mechanism in the greeting.
pub const NAME: &str = "NULL";

/// Handles the one command of the peer's handshake.
///
/// # Errors
/// The reason to close; what the peer should be told first is in `out`.
pub fn receive(
    body: &[u8],
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
        Ok(_) => push_ready(out, socket),
        Err(CloseReason::SocketType) => push_error(out, "Socket type is not served here"),
        Err(_) => push_error(out, "Invalid READY"),
    }
    fit
}
