//! The accept loop: takes connections in, caps their number, starts a task for each.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::warn;

use super::config::ListenerConfig;
use super::connection::Connection;
use super::handlers::{Handlers, Host, report};
use super::listener::Listener;
use super::observer::Observer;
use crate::codec::null::Role;
use crate::codec::reason::CloseReason;

/// Pause after an accept that failed for want of something, mostly file descriptors: the
/// connection stays in the backlog, so trying at once would spin.
const BACK_OFF: Duration = Duration::from_millis(75);

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
    let host = Arc::new(Host::new(Role::Listener, config, observer, handler));
    let mut tasks = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = tasks.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((_, address)) if tasks.len() >= max_connections => {
                    host.observer().refused(&address, CloseReason::TooManyConnections);
                }
                Ok((stream, address)) => {
                    let (host, mut closing) = (Arc::clone(&host), closing.clone());
                    tasks.spawn(async move { host.receive(stream, address, &mut closing).await });
                }
                Err(failure) => {
                    host.observer().accept_failed(&failure);
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
