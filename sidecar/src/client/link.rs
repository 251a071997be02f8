//! One connection of the engine: made with patience, known to be lost, drained at its end.
//!
//! Nothing here knows what is sent.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use zeromq::{MultiPeerBackend, Socket, SocketEvent, SocketOptions, ZmqError};

use super::ClientError;

/// One attempt, handshake included. Short, because the engine pauses longer with each try inside.
const ATTEMPT: Duration = Duration::from_millis(700);
/// Pause between attempts that fail at once.
const PAUSE: Duration = Duration::from_millis(20);
/// So many handshakes that fail in a row are a refusal; one may have met a peer that was dying.
const REFUSALS: u32 = 3;

/// Says when the connection is lost.
#[derive(Debug)]
pub(super) struct Lost(watch::Receiver<bool>);

impl Lost {
    /// Completes when the connection is lost. Cancel-safe.
    pub(super) async fn wait(&mut self) {
        // An error means that the socket is gone: the same.
        let _ = self.0.wait_for(|lost| *lost).await;
    }
}

/// Connects a new socket to `endpoint`, trying again for as long as `patience`. Cancel-safe.
///
/// # Errors
/// [`ClientError::Connect`] when the time is over or the endpoint is none,
/// [`ClientError::Refused`] when something answers and will not have this socket.
pub(super) async fn connect<S: Socket>(
    endpoint: &str,
    patience: Duration,
) -> Result<(S, Lost), ClientError> {
    let deadline = Instant::now() + patience;
    let failed = |source| ClientError::Connect { endpoint: endpoint.to_owned(), source };
    let mut refusals = 0;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut options = SocketOptions::default();
        options.connect_timeout(ATTEMPT.min(left.max(PAUSE)));
        let mut socket = S::with_options(options);
        let lost = watch_over(&mut socket);
        match socket.connect(endpoint).await {
            Ok(()) => return Ok((socket, lost)),
            Err(source @ ZmqError::Endpoint(_)) => return Err(failed(source)),
            Err(source @ (ZmqError::Codec(_) | ZmqError::Other(_))) => {
                refusals += 1;
                if refusals == REFUSALS {
                    return Err(ClientError::Refused { endpoint: endpoint.to_owned(), source });
                }
            }
            Err(source) if Instant::now() >= deadline => return Err(failed(source)),
            Err(_) => refusals = 0,
        }
        sleep(PAUSE).await;
    }
}

/// Listens to the monitor of a socket that has at most one peer.
fn watch_over<S: Socket>(socket: &mut S) -> Lost {
    let mut events = socket.monitor();
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        // The monitor ends with the socket.
        while let Ok(event) = events.recv().await {
            if matches!(event, SocketEvent::Disconnected(_)) {
                sender.send_replace(true);
            }
        }
    });
    Lost(receiver)
}

/// Gives the socket up and waits until all that it had queued is in the kernel's hands, or the
/// connection failed: the task that writes holds the socket's backend until then.
///
/// # Errors
/// [`ClientError::Timeout`] when `patience` is over first.
pub(super) async fn drain<S: Socket>(socket: S, patience: Duration) -> Result<(), ClientError> {
    let backend: Weak<dyn MultiPeerBackend> = Arc::downgrade(&socket.backend());
    drop(socket);
    let ended = async {
        while backend.strong_count() > 0 {
            // The engine has no event for it.
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(patience, ended).await.map_err(|_| ClientError::Timeout)
}
