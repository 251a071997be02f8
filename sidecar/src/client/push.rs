//! A PUSH with one peer, bounded in bytes, that knows when its messages have left.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use zeromq::{PushSocket, SocketSend, ZmqMessage};

use super::link::{self, Lost};
use super::{ClientError, Frames};

/// Bytes that may be queued and not yet written; one larger message may be, alone.
const QUEUE_BYTES: u32 = 16 << 20;

/// A connected PUSH.
pub struct Push {
    socket: PushSocket,
    lost: Lost,
    /// One permit a byte; the engine gives them back by dropping a message that it has written.
    room: Arc<Semaphore>,
}

impl Push {
    /// Connects. Cancel-safe.
    ///
    /// # Errors
    /// Those of a connection that does not come about.
    pub async fn connect(endpoint: &str, patience: Duration) -> Result<Self, ClientError> {
        let (socket, lost) = link::connect(endpoint, patience).await?;
        Ok(Self { socket, lost, room: Arc::new(Semaphore::new(QUEUE_BYTES as usize)) })
    }

    /// Queues a message, and waits while too many bytes are queued. Cancelled, it has not sent it.
    ///
    /// # Errors
    /// [`ClientError::Lost`]: how much of what was sent has been read is not known.
    /// [`ClientError::NoFrames`].
    pub async fn send(&mut self, mut frames: Frames) -> Result<(), ClientError> {
        // A small message costs memory as well, and the engine's own limit is a count.
        let bytes = frames.iter().map(|frame| frame.len() + 128).sum::<usize>();
        let wanted = u32::try_from(bytes).unwrap_or(QUEUE_BYTES).min(QUEUE_BYTES);
        let last = frames.pop().ok_or(ClientError::NoFrames)?;
        let permit = select! {
            permit = Arc::clone(&self.room).acquire_many_owned(wanted) => permit,
            () = self.lost.wait() => return Err(ClientError::Lost),
        };
        let permit = permit.map_err(|_| ClientError::Lost)?;
        frames.push(Bytes::from_owner(Queued { bytes: last, _permit: permit }));
        let message = ZmqMessage::try_from(frames).map_err(|_| ClientError::NoFrames)?;
        self.socket.send(message).await.map_err(|_| ClientError::Lost)
    }

    /// Closes once everything is in the kernel's hands, which delivers it even when this process
    /// ends. A failure of the very last write is not seen, and what the peer has made of it all only
    /// the peer can tell.
    ///
    /// # Errors
    /// [`ClientError::Lost`], [`ClientError::Timeout`] when `patience` ends first.
    pub async fn finish(mut self, patience: Duration) -> Result<(), ClientError> {
        let written = async {
            select! {
                all = self.room.acquire_many(QUEUE_BYTES) => all.map(drop).map_err(|_| ClientError::Lost),
                () = self.lost.wait() => Err(ClientError::Lost),
            }
        };
        timeout(patience, written).await.map_err(|_| ClientError::Timeout)??;
        // The engine's last buffer is still to be written.
        link::drain(self.socket, patience).await
    }
}

/// A frame that counts against the queue until the engine drops it.
struct Queued {
    bytes: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Queued {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
