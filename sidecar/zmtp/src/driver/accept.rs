//! The accept loop: takes connections in, caps their number, starts a task for each.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::select;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;
use tracing::{debug, error, warn};

use super::admit::admit;
use super::buffer::ReadBuffer;
use super::config::ListenerConfig;
use super::connection::Connection;
use super::listener::Listener;
use super::peer::Peer;
use super::stream::Stream;
use crate::codec::reason::CloseReason;

/// Pause after an accept that failed for want of something, mostly file descriptors: the
/// connection stays in the backlog, so trying at once would spin.
const BACK_OFF: Duration = Duration::from_millis(75);

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
}

/// Handlers that may still run after their listener has stopped. Dropping it ends them at once.
#[derive(Debug)]
pub struct Handlers(JoinSet<()>);

impl Handlers {
    /// Waits until every handler has ended by itself.
    pub async fn finished(mut self) {
        while let Some(ended) = self.0.join_next().await {
            report(ended);
        }
    }
}

/// Accepts connections until `shutdown` completes and runs `handler` on each that has shaken
/// hands, in a task of its own; the handler owns the connection.
///
/// On shutdown the listener is closed, handshakes are cut off, and the handlers are returned
/// still running: whoever gave the handler tells it to end. Dropping this future, or what it
/// returns, ends them at once.
pub async fn serve<H, F>(
    listener: Listener,
    config: ListenerConfig,
    observer: Arc<dyn Observer>,
    shutdown: impl Future<Output = ()>,
    handler: H,
) -> Handlers
where
    H: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (open, closing) = watch::channel(());
    let max_connections = config.max_connections;
    let host = Arc::new(Host { config: Arc::new(config), observer, handler });
    let mut tasks = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = tasks.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((_, address)) if tasks.len() >= max_connections => {
                    host.observer.refused(&address, CloseReason::TooManyConnections);
                }
                Ok((stream, address)) => {
                    let closing = closing.clone();
                    tasks.spawn(Arc::clone(&host).receive(stream, address, closing));
                }
                Err(failure) => {
                    host.observer.accept_failed(&failure);
                    if !passes_at_once(&failure) {
                        warn!(endpoint = %listener.local_endpoint(), %failure, "cannot accept");
                        select! {
                            () = &mut shutdown => break,
                            () = sleep(BACK_OFF) => {}
                        }
                    }
                }
            }
        }
    }
    drop(open);
    Handlers(tasks)
}

/// Errors of the one connection that was being accepted, not of the listener.
fn passes_at_once(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

fn report(ended: Result<(), JoinError>) {
    if let Err(failure) = ended
        && failure.is_panic()
    {
        error!(%failure, "a connection's handler panicked");
    }
}

/// What all connections of a listener share.
struct Host<H> {
    config: Arc<ListenerConfig>,
    observer: Arc<dyn Observer>,
    handler: H,
}

impl<H, F> Host<H>
where
    H: Fn(Connection) -> F,
    F: Future<Output = ()>,
{
    /// The life of one connection.
    async fn receive(
        self: Arc<Self>,
        stream: Stream,
        address: String,
        mut closing: watch::Receiver<()>,
    ) {
        let mut buffer = ReadBuffer::new(Arc::clone(&self.config.budget));
        let admitted = select! {
            biased;
            _ = closing.changed() => Err(CloseReason::Shutdown),
            admitted = admit(&stream, &mut buffer, &self.config) => admitted,
        };
        let (version, metadata) = match admitted {
            Ok(admitted) => admitted,
            Err(reason) => {
                debug!(%address, %reason, "refused");
                drop(stream);
                return self.observer.refused(&address, reason);
            }
        };
        let peer = Peer {
            id: next_id(),
            socket: metadata.socket,
            identity: metadata.identity,
            version,
            address,
        };
        let config = Arc::clone(&self.config);
        let observer = Arc::clone(&self.observer);
        (self.handler)(Connection::new(stream, buffer, peer, config, observer)).await;
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
