//! A PULL with one peer.

use std::time::Duration;

use tokio::select;
use zeromq::{PullSocket, Socket, SocketRecv, ZmqMessage};

use super::link::{self, Lost};
use super::{ClientError, Frames};

/// A connected PULL. Dropped, it is closed.
pub struct Pull {
    socket: PullSocket,
    lost: Lost,
}

impl Pull {
    /// Connects. Cancel-safe.
    ///
    /// # Errors
    /// Those of a connection that does not come about.
    pub async fn connect(endpoint: &str, patience: Duration) -> Result<Self, ClientError> {
        let (socket, lost) = link::connect(endpoint, patience).await?;
        Ok(Self { socket, lost })
    }

    /// The next message. Cancel-safe.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn recv(&mut self) -> Result<Frames, ClientError> {
        select! {
            biased;
            message = self.socket.recv() => {
                message.map(ZmqMessage::into_vec).map_err(|_| ClientError::Lost)
            }
            () = self.lost.wait() => Err(ClientError::Lost),
        }
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        // The engine would leave the connection open, and the peer would send into nothing.
        self.socket.backend().shutdown();
    }
}
