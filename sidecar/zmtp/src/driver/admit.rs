//! The handshake with one peer: moves bytes between the socket and the codec, under one deadline.

use std::io;
use std::time::Duration;

use tokio::io::Interest;
use tokio::time::timeout;

use super::buffer::ReadBuffer;
use super::config::ListenerConfig;
use super::stream::Stream;
use crate::codec::greeting::Version;
use crate::codec::handshake::Handshake;
use crate::codec::limits::MAX_COMMAND;
use crate::codec::metadata::Metadata;
use crate::codec::null::Role;
use crate::codec::reason::CloseReason;

/// How long a refused peer may take to read why.
const ERROR_PATIENCE: Duration = Duration::from_millis(500);

/// Shakes hands. Traffic that came right behind stays in `buffer`.
pub(super) async fn admit(
    role: Role,
    stream: &Stream,
    buffer: &mut ReadBuffer,
    config: &ListenerConfig,
) -> Result<(Version, Metadata), CloseReason> {
    let mut out = Vec::new();
    let handshake = shake_hands(role, stream, buffer, config, &mut out);
    let outcome = timeout(config.handshake_timeout, handshake)
        .await
        .unwrap_or(Err(Refusal::Close(CloseReason::HandshakeTimeout)));
    match outcome {
        Ok(peer) => Ok(peer),
        Err(Refusal::Close(reason)) => Err(reason),
        Err(Refusal::Tell(reason)) => {
            // Whether the peer hears it is its own affair.
            let _ = timeout(ERROR_PATIENCE, async {
                stream.write_all(&out).await?;
                stream.part().await
            })
            .await;
            Err(reason)
        }
    }
}

/// How a peer is turned away.
enum Refusal {
    /// Without a word.
    Close(CloseReason),
    /// After the ERROR that was prepared.
    Tell(CloseReason),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Close(match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => CloseReason::PeerClosed,
            _ => CloseReason::Io,
        })
    }
}

async fn shake_hands(
    role: Role,
    stream: &Stream,
    buffer: &mut ReadBuffer,
    config: &ListenerConfig,
    out: &mut Vec<u8>,
) -> Result<(Version, Metadata), Refusal> {
    stream.prepare()?;
    let mut handshake = Handshake::new(role, config.socket, config.accepts, out);
    loop {
        let received = match handshake.receive(buffer.bytes(), out) {
            Ok(received) => received,
            Err(reason) if out.is_empty() => return Err(Refusal::Close(reason)),
            Err(reason) => return Err(Refusal::Tell(reason)),
        };
        stream.write_all(out).await?;
        out.clear();
        buffer.consume(received.used);
        if let Some(peer) = received.peer {
            return Ok(peer);
        }
        stream.ready(Interest::READABLE).await?;
        // The start size holds the longest READY, so there is always room.
        buffer.make_room(usize::try_from(MAX_COMMAND).unwrap_or(usize::MAX));
        match buffer.read_from(stream) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}
