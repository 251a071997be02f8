//! The loop of one scope: whatever is seen of a queue has it reconciled, each queue by itself, a
//! bounded number at a time.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt, stream};
use kube::Client;
use kube::runtime::applier;
use kube::runtime::controller::{Config, Error};
use kube::runtime::reflector::ObjectRef;

use crate::release::Release;
use crate::run::cache::Cache;
use crate::run::cluster::Cluster;
use crate::run::context::Context;
use crate::run::events::Events;
use crate::run::metrics::Metrics;
use crate::run::observe::Sources;
use crate::run::reconcile::{Failed, reconcile, retry};
use crate::run::sidecars::Sidecars;

/// Reconciles at one time. They wait for the API server most of their time.
const CONCURRENCY: u16 = 16;

/// What controllers of all scopes share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) metrics: Metrics,
    pub(crate) release: Release,
    pub(crate) cluster: Cluster,
    pub(crate) events: Events,
}

/// Looks after the queues of `namespace`, or of all, until `stop`, and then ends what it has begun.
/// The cache, first, is for whoever wants to know when it is filled.
pub(crate) fn controller(
    shared: &Shared,
    namespace: Option<&str>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> (Cache, impl Future<Output = ()> + Send + 'static) {
    let (cache, watched) = Cache::watch(&shared.client, namespace, &shared.metrics);
    let (changed, told) = mpsc::unbounded();
    let sidecars = Sidecars::new(changed, shared.metrics.clone());
    let sources = Sources {
        cache: cache.clone(),
        cluster: shared.cluster.clone(),
        sidecars: sidecars.clone(),
    };
    let events = shared.events.clone();
    let release = shared.release.clone();
    let context = Arc::new(Context::new(&shared.client, &shared.metrics, release, sources, events));
    let concerned = stream::select(watched, told).map(Ok::<_, Infallible>).take_until(stop);
    let reconciles = applier(
        |queue, context| reconcile(queue, context).boxed(),
        |queue, error: &Failed, context| retry(&queue, error, &context),
        Arc::clone(&context),
        cache.queues.clone(),
        concerned,
        Config::default().concurrency(CONCURRENCY),
    );
    let reconciles = reconciles.for_each(move |result| {
        if let Err(Error::ObjectNotFound(gone)) = result {
            let namespace = gone.namespace.as_deref().unwrap_or_default();
            context.forget(&ObjectRef::new(&gone.name).within(namespace));
        }
        futures::future::ready(())
    });
    let followed = cache.clone();
    let work = async move {
        tokio::select! {
            () = reconciles => {}
            () = sidecars.follow(followed) => {}
        }
    };
    (cache, work)
}
