//! Everything with I/O: what is watched and asked, and how decisions are carried out. Decisions
//! themselves are made in [`crate::plan`], [`crate::desired`] and [`crate::status`].

use std::net::SocketAddr;
use std::time::Duration;

use futures::{StreamExt, future};
use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::release::Release;

mod admin;
mod apply;
mod backoff;
mod cache;
mod client;
mod cluster;
mod context;
mod controller;
mod error;
mod events;
mod fetch;
mod leader;
mod lock;
mod metrics;
mod observe;
mod publish;
mod reconcile;
mod sidecars;
mod steps;
mod wanted;

use self::admin::Readiness;
use self::cache::Cache;
use self::cluster::Cluster;
use self::controller::{Shared, controller};
pub use self::error::Error;
use self::events::Events;
use self::leader::Election;
use self::metrics::Metrics;

/// How long reconciles that have begun may take when the operator is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Between two looks at the caches.
const LOOK: Duration = Duration::from_millis(500);

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The sidecar's image of this release.
    pub sidecar_image: String,
    /// The namespaces that are looked after; none: all.
    pub namespaces: Vec<String>,
    /// Where probes and metrics are served.
    pub listen: SocketAddr,
    /// The Lease by which one of several operators is chosen.
    pub lease_name: String,
    /// The operator's pod, unique among its replicas.
    pub pod_name: String,
    /// The operator's namespace, which the Lease is in.
    pub pod_namespace: String,
}

/// Looks after queues until `stop` completes. Waits for the Lease first.
///
/// # Errors
/// `Listen`, `Client`; `LeaseLost`, after which the process must end: another may be at work.
pub async fn run(
    options: Options,
    config: kube::Config,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let metrics = Metrics::new()?;
    let client = client::client(config, &metrics).map_err(|e| Error::Client(e.to_string()))?;
    let listener = admin::bind(options.listen).await?;
    let readiness = Readiness::default();
    let admin = admin::serve(listener, readiness.clone(), metrics.clone());
    let operator = Operator { options, client, metrics, readiness };
    tokio::select! {
        result = operator.lead(stop) => result,
        result = admin => result,
    }
}

/// One operator of several.
struct Operator {
    options: Options,
    client: Client,
    metrics: Metrics,
    readiness: Readiness,
}

impl Operator {
    /// Waits for the Lease, works while it holds it, and gives it back.
    async fn lead(self, stop: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let Options { pod_name, pod_namespace, lease_name, .. } = &self.options;
        let mut election = Election::new(self.client.clone(), pod_namespace, lease_name, pod_name);
        tokio::pin!(stop);
        // Whoever waits for the Lease does all that it has to.
        self.readiness.set(true);
        tracing::info!(lease = lease_name, identity = pod_name, "waiting for the lease");
        tokio::select! {
            () = election.acquire() => {}
            () = &mut stop => return Ok(()),
        }
        self.readiness.set(false);
        self.metrics.leader.set(1);
        tracing::info!(lease = lease_name, "holding the lease");
        let (order, stopped) = watch::channel(false);
        let work = self.work(stopped);
        tokio::pin!(work);
        tokio::select! {
            result = &mut work => return result,
            lost = election.keep() => return Err(lost),
            () = &mut stop => {}
        }
        order.send_replace(true);
        tokio::select! {
            // What does not end in time is dropped; the next operator goes on from what exists.
            _ = timeout(GRACE, work) => {}
            lost = election.keep() => return Err(lost),
        }
        election.release().await;
        Ok(())
    }

    /// The controllers of all scopes, until they have stopped.
    async fn work(&self, stopped: watch::Receiver<bool>) -> Result<(), Error> {
        let (cluster, watched) = Cluster::watch(&self.client, &self.metrics);
        let options = &self.options;
        let shared = Shared {
            client: self.client.clone(),
            metrics: self.metrics.clone(),
            release: Release::new(options.sidecar_image.clone(), options.pod_namespace.clone()),
            cluster,
            events: Events::new(self.client.clone(), &options.pod_name),
        };
        let all = [None];
        let named: Vec<_> = options.namespaces.iter().map(|it| Some(it.as_str())).collect();
        let scopes = if named.is_empty() { &all[..] } else { &named[..] };
        // Tasks end with the set that they are in.
        let mut controllers = JoinSet::new();
        let caches = scopes.iter().map(|scope| {
            let mut stopped = stopped.clone();
            // An error says that nobody is left to give the order: the same.
            let stop = async move { drop(stopped.wait_for(|stop| *stop).await) };
            let (cache, work) = controller(&shared, *scope, stop);
            controllers.spawn(work);
            cache
        });
        let caches: Vec<_> = caches.collect();
        let joined = async {
            while let Some(ended) = controllers.join_next().await {
                ended.map_err(|error| Error::Broken(error.to_string()))?;
            }
            Ok(())
        };
        tokio::select! {
            result = joined => result,
            () = watched.for_each(|()| future::ready(())) => Ok(()),
            () = self.look_at(&caches) => Ok(()),
        }
    }

    /// Tells whether the caches are filled, and with how many queues. Never completes.
    async fn look_at(&self, caches: &[Cache]) {
        loop {
            let queues: usize = caches.iter().map(|cache| cache.queues.len()).sum();
            self.metrics.queues.set(i64::try_from(queues).unwrap_or(i64::MAX));
            self.readiness.set(caches.iter().all(Cache::is_filled));
            sleep(LOOK).await;
        }
    }
}
