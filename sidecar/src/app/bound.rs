//! Sockets that are ready and not yet served: no connection is taken or made before all that are to
//! be bound are bound.

use std::fmt;
use std::sync::Arc;

use lifeboat_api::{IngressKind, Remote};
use lifeboat_zmtp::{
    Connection, Endpoint, Handlers, Listener, ListenerConfig, Observer, ReconnectConfig,
};

use super::sockets::{SocketName, Sockets};
use crate::egress::Outlet;
use crate::ingress::{self, IngressContext};
use crate::stop::{Stop, Stopper};

/// How a socket comes by its connections.
#[derive(Debug)]
pub(super) enum Door {
    /// Peers connect to it.
    Listener(Listener),
    /// It connects to these.
    Connector(Vec<Endpoint>),
}

/// A door, and how its connections are treated.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) door: Door,
    pub(super) config: ListenerConfig,
    pub(super) observer: Arc<dyn Observer>,
}

impl Door {
    /// Where it is, for people.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Listener(listener) => listener.local_endpoint().to_string(),
            Self::Connector(endpoints) => {
                let endpoints: Vec<String> = endpoints.iter().map(Endpoint::to_string).collect();
                endpoints.join(", ")
            }
        }
    }
}

/// Where the file has a socket.
#[derive(Debug)]
pub(super) struct At<'a> {
    /// Where it is bound, unless it connects.
    pub(super) endpoint: lifeboat_api::Endpoint,
    /// What it connects to.
    pub(super) connect: &'a [Remote],
}

impl At<'_> {
    /// Whether all its peers are on this machine.
    pub(super) fn is_ipc(&self) -> bool {
        let ipc = |at: &lifeboat_api::Endpoint| matches!(at, lifeboat_api::Endpoint::Ipc(_));
        match self.connect {
            [] => ipc(&self.endpoint),
            remotes => remotes.iter().all(|remote| ipc(remote.endpoint())),
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.connect.is_empty() {
            return self.endpoint.fmt(f);
        }
        let remotes: Vec<String> = self.connect.iter().map(Remote::to_string).collect();
        f.write_str(&remotes.join(", "))
    }
}

impl Bound {
    /// Takes or makes connections until `shutdown` completes.
    async fn serve<H, F>(self, shutdown: impl Future<Output = ()>, handler: H) -> Handlers
    where
        H: Fn(Connection) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { door, config, observer } = self;
        match door {
            Door::Listener(listener) => {
                lifeboat_zmtp::serve(listener, config, observer, shutdown, handler).await
            }
            Door::Connector(endpoints) => {
                let reconnect = ReconnectConfig::default();
                lifeboat_zmtp::connect(endpoints, config, reconnect, observer, shutdown, handler)
                    .await
            }
        }
    }
}

/// A socket towards producers.
#[derive(Debug)]
pub(super) struct BoundIngress {
    pub(super) name: SocketName,
    pub(super) kind: IngressKind,
    pub(super) bound: Bound,
    pub(super) context: Arc<IngressContext>,
    pub(super) stopper: Stopper,
}

/// A socket towards applications.
#[derive(Debug)]
pub(super) struct BoundDelivery {
    pub(super) name: SocketName,
    pub(super) outlet: Outlet,
    pub(super) bound: Bound,
    pub(super) stop: Stop,
    pub(super) stopper: Stopper,
}

impl BoundIngress {
    /// Serves it among `sockets` until the order to stop.
    pub(super) fn serve(self, sockets: &mut Sockets) {
        let Self { name, kind, bound, context, stopper } = self;
        let mut stop = context.stop.clone();
        let shutdown = async move { stop.ordered().await };
        let handler = move |connection| ingress::serve(kind, connection, Arc::clone(&context));
        sockets.add(name, stopper, bound.serve(shutdown, handler));
    }
}

impl BoundDelivery {
    /// Serves it among `sockets` until the order to stop.
    pub(super) fn serve(self, sockets: &mut Sockets) {
        let Self { name, outlet, bound, stop, stopper } = self;
        let mut ordered = stop.clone();
        let shutdown = async move { ordered.ordered().await };
        let handler = move |connection| outlet.clone().serve(connection, stop.clone());
        sockets.add(name, stopper, bound.serve(shutdown, handler));
    }
}
