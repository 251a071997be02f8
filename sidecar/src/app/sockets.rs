//! The sockets that are served now, each with its own order to stop.

use std::collections::BTreeMap;
use std::time::Duration;

use lifeboat_zmtp::Handlers;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::reload::Side;
use crate::stop::Stopper;

/// Which side of which stream, and the socket's name.
pub(super) type SocketName = (Side, String, String);

/// What is served.
#[derive(Debug, Default)]
pub(super) struct Sockets(BTreeMap<SocketName, Running>);

#[derive(Debug)]
struct Running {
    stopper: Stopper,
    serving: JoinHandle<Handlers>,
}

impl Sockets {
    /// Serves a socket; `stopper` orders it to stop.
    pub(super) fn add(
        &mut self,
        name: SocketName,
        stopper: Stopper,
        serving: impl Future<Output = Handlers> + Send + 'static,
    ) {
        self.0.insert(name, Running { stopper, serving: tokio::spawn(serving) });
    }

    /// Whether a socket is served.
    pub(super) fn serves(&self, name: &SocketName) -> bool {
        self.0.contains_key(name)
    }

    /// Stops these sockets, and waits for so long until their connections have ended; the rest is cut
    /// off.
    pub(super) async fn close(&mut self, names: &[SocketName], patience: Duration) {
        // Whoever does not end in time is cut off: its peer connects again.
        let _ = timeout(patience, self.stop_all(names)).await;
    }

    /// Orders all sockets of one side to stop. The future completes when they and all their
    /// connections have ended; dropped, it cuts them off.
    pub(super) fn stop(&mut self, side: Side) -> impl Future<Output = ()> + use<> {
        let names: Vec<_> = self.0.keys().filter(|name| name.0 == side).cloned().collect();
        self.stop_all(&names)
    }

    fn stop_all(&mut self, names: &[SocketName]) -> impl Future<Output = ()> + use<> {
        let running: Vec<_> = names.iter().filter_map(|name| self.0.remove(name)).collect();
        for socket in &running {
            socket.stopper.stop();
        }
        ended(running)
    }
}

async fn ended(sockets: Vec<Running>) {
    let mut all = Vec::new();
    for socket in sockets {
        all.extend(socket.serving.await.ok());
    }
    for handlers in all {
        handlers.finished().await;
    }
}
