//! A DEALER with one peer: the socket under both protocols.

use std::future::ready;
use std::time::Duration;

use tokio::select;
use zeromq::{DealerSocket, SocketRecv, SocketSend, ZmqMessage};

use super::link::{self, Lost};
use super::{ClientError, Frames};

/// A connected DEALER.
pub(super) struct Dealer {
    socket: DealerSocket,
    lost: Lost,
}

impl Dealer {
    /// Connects. Cancel-safe.
    ///
    /// # Errors
    /// Those of [`link::connect`].
    pub(super) async fn connect(endpoint: &str, patience: Duration) -> Result<Self, ClientError> {
        let (socket, lost) = link::connect(endpoint, patience).await?;
        Ok(Self { socket, lost })
    }

    /// Queues a message. Does not wait while fewer than 100,000 are queued: the caller's window
    /// must see to that.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub(super) async fn send(&mut self, message: ZmqMessage) -> Result<(), ClientError> {
        self.socket.send(message).await.map_err(|_| ClientError::Lost)
    }

    /// The next message. What came in before the connection ended is still given out. Cancel-safe.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub(super) async fn recv(&mut self) -> Result<Frames, ClientError> {
        select! {
            biased;
            message = self.socket.recv() => {
                message.map(ZmqMessage::into_vec).map_err(|_| ClientError::Lost)
            }
            () = self.lost.wait() => Err(ClientError::Lost),
        }
    }

    /// The next message if it is here already.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub(super) async fn try_recv(&mut self) -> Result<Option<Frames>, ClientError> {
        select! {
            biased;
            message = self.recv() => message.map(Some),
            () = ready(()) => Ok(None),
        }
    }

    /// Closes once everything that was sent is in the kernel's hands.
    ///
    /// # Errors
    /// [`ClientError::Timeout`].
    pub(super) async fn close(self, patience: Duration) -> Result<(), ClientError> {
        link::drain(self.socket, patience).await
    }
}
