//! The other way round: we dial, shake hands, and dial again when a connection ends.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::BuildHasher;
use std::io;
use std::sync::Arc;

use tokio::net::{TcpStream, UnixStream};
use tokio::select;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::config::ListenerConfig;
use super::connection::Connection;
use super::endpoint::Endpoint;
use super::handlers::{Handlers, Host, report};
use super::observer::Observer;
use super::stream::Stream;
use crate::codec::null::Role;
use crate::codec::reconnect::{Reconnect, ReconnectConfig};

/// Keeps one connection to each of `endpoints` until `shutdown` completes, and runs `handler` on
/// each that has shaken hands; the handler owns the connection. When it ends, the endpoint is
/// dialled again; names are resolved each time.
///
/// `config` holds for each connection as it does for a listener's, but for the number of
/// connections; dialling may take as long as the handshake.
///
/// On shutdown dialling and handshakes are cut off, and the handlers are returned still running:
/// whoever gave the handler tells it to end. Dropping this future, or what it returns, ends them at
/// once.
pub async fn connect<H, F>(
    endpoints: Vec<Endpoint>,
    config: ListenerConfig,
    reconnect: ReconnectConfig,
    observer: Arc<dyn Observer>,
    shutdown: impl Future<Output = ()>,
    handler: H,
) -> Handlers
where
    H: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (open, closing) = watch::channel(());
    let host = Arc::new(Host::new(Role::Connector, config, observer, handler));
    let mut tasks = JoinSet::new();
    for endpoint in endpoints {
        let (host, closing) = (Arc::clone(&host), closing.clone());
        tasks.spawn(keep(host, endpoint, Reconnect::new(reconnect), closing));
    }
    tokio::pin!(shutdown);
    loop {
        select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = tasks.join_next() => report(ended),
        }
    }
    drop(open);
    Handlers(tasks)
}

/// Keeps a connection to one endpoint.
async fn keep<H, F>(
    host: Arc<Host<H>>,
    endpoint: Endpoint,
    mut reconnect: Reconnect,
    mut closing: watch::Receiver<()>,
) where
    H: Fn(Connection) -> F,
    F: Future<Output = ()>,
{
    let address = endpoint.to_string();
    loop {
        let dialled = select! {
            biased;
            _ = closing.changed() => return,
            dialled = timeout(host.config().handshake_timeout, dial(&endpoint)) => dialled,
        };
        let lasted = match dialled.unwrap_or_else(|late| Err(late.into())) {
            Ok(stream) => {
                let started = Instant::now();
                host.receive(stream, address.clone(), &mut closing).await;
                Some(started.elapsed())
            }
            Err(error) => {
                host.observer().connect_failed(&address, &error);
                None
            }
        };
        select! {
            biased;
            _ = closing.changed() => return,
            () = sleep(reconnect.ended(lasted, random())) => {}
        }
    }
}

async fn dial(endpoint: &Endpoint) -> io::Result<Stream> {
    match endpoint {
        Endpoint::Tcp { host: Some(host), port } => {
            Ok(Stream::Tcp(TcpStream::connect((host.as_str(), *port)).await?))
        }
        Endpoint::Tcp { host: None, .. } => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "* is no host to connect to"))
        }
        Endpoint::Ipc(path) => Ok(Stream::Unix(UnixStream::connect(path).await?)),
    }
}

/// Good enough to spread tries in time.
fn random() -> u32 {
    let bits = RandomState::new().hash_one(0u8);
    u32::try_from(bits >> 32).unwrap_or(u32::MAX)
}
