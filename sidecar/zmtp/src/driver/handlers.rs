//! What all connections of a socket share, from the handshake to the end of their handlers, whoever
//! connected.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::select;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tracing::{debug, error};

use super::admit::admit;
use super::buffer::ReadBuffer;
use super::config::ListenerConfig;
use super::connection::Connection;
use super::observer::Observer;
use super::peer::Peer;
use super::stream::Stream;
use crate::codec::null::Role;
use crate::codec::reason::CloseReason;

/// Handlers that may still run after their socket has stopped. Dropping it ends them at once.
#[derive(Debug)]
pub struct Handlers(pub(super) JoinSet<()>);

impl Handlers {
    /// Waits until every handler has ended by itself.
    pub async fn finished(mut self) {
        while let Some(ended) = self.0.join_next().await {
            report(ended);
        }
    }
}

pub(super) fn report(ended: Result<(), JoinError>) {
    if let Err(failure) = ended
        && failure.is_panic()
    {
        error!(%failure, "a connection's handler panicked");
    }
}

/// What all connections of a socket share.
pub(super) struct Host<H> {
    role: Role,
    config: Arc<ListenerConfig>,
    observer: Arc<dyn Observer>,
    handler: H,
}

impl<H, F> Host<H>
where
    H: Fn(Connection) -> F,
    F: Future<Output = ()>,
{
    pub(super) fn new(
        role: Role,
        config: ListenerConfig,
        observer: Arc<dyn Observer>,
        handler: H,
    ) -> Self {
        Self { role, config: Arc::new(config), observer, handler }
    }

    pub(super) fn config(&self) -> &ListenerConfig {
        &self.config
    }

    pub(super) fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    /// The life of one connection. `closing` changes when its socket stops: a handshake is cut off
    /// then.
    pub(super) async fn receive(
        &self,
        stream: Stream,
        address: String,
        closing: &mut watch::Receiver<()>,
    ) {
        let mut buffer = ReadBuffer::new(Arc::clone(&self.config.budget));
        let admitted = select! {
            biased;
            _ = closing.changed() => Err(CloseReason::Shutdown),
            admitted = admit(self.role, &stream, &mut buffer, &self.config) => admitted,
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
