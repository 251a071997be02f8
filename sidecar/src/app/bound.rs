//! Sockets that are bound and not yet served: no connection is taken before all of them are bound.

use std::sync::Arc;

use lifeboat_api::IngressKind;
use lifeboat_zmtp::{Handlers, Listener, ListenerConfig, Observer};
use tokio::task::JoinSet;

use crate::egress::Outlet;
use crate::ingress::{self, IngressContext};
use crate::stop::Stop;

/// A listener, and how its connections are treated.
pub(super) struct Bound {
    pub(super) listener: Listener,
    pub(super) config: ListenerConfig,
    pub(super) observer: Arc<dyn Observer>,
}

/// A socket towards producers.
pub(super) struct BoundIngress {
    pub(super) kind: IngressKind,
    pub(super) bound: Bound,
    pub(super) context: Arc<IngressContext>,
}

/// A socket towards applications.
pub(super) struct BoundDelivery {
    pub(super) outlet: Outlet,
    pub(super) bound: Bound,
    pub(super) stop: Stop,
}

impl BoundIngress {
    /// Takes connections until the order to stop.
    pub(super) fn serve(self, producers: &mut JoinSet<Handlers>) {
        let Self { kind, bound, context } = self;
        let mut stop = context.stop.clone();
        let shutdown = async move { stop.ordered().await };
        let handler = move |connection| ingress::serve(kind, connection, Arc::clone(&context));
        let Bound { listener, config, observer } = bound;
        producers.spawn(lifeboat_zmtp::serve(listener, config, observer, shutdown, handler));
    }
}

impl BoundDelivery {
    /// Takes connections until the order to stop.
    pub(super) fn serve(self, apps: &mut JoinSet<Handlers>) {
        let Self { outlet, bound, stop } = self;
        let mut ordered = stop.clone();
        let shutdown = async move { ordered.ordered().await };
        let handler = move |connection| outlet.clone().serve(connection, stop.clone());
        let Bound { listener, config, observer } = bound;
        apps.spawn(lifeboat_zmtp::serve(listener, config, observer, shutdown, handler));
    }
}
