//! Leader election over a Lease: one operator works, the others wait.
//!
//! Every write of the Lease is a compare-and-swap on its resourceVersion. Times of other machines
//! are never compared with ours: a Lease counts as abandoned when it has not changed for its
//! duration by our own clock. Two operators can still overlap for a moment, which is why each
//! destructive step names the object that it means.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};

use crate::run::error::Error;

/// How long a Lease holds without being renewed.
const DURATION: Duration = Duration::from_secs(15);
/// After this long without a renewal the holder gives up: well before others may take over.
const DEADLINE: Duration = Duration::from_secs(10);
/// Between two tries.
const RETRY: Duration = Duration::from_secs(2);
/// Of one request, so that a try that hangs leaves room for others before the deadline.
const REQUEST: Duration = Duration::from_secs(3);

/// One candidate.
pub(crate) struct Election {
    leases: Api<Lease>,
    name: String,
    identity: String,
    seen: Option<Seen>,
}

/// The Lease as it was when it last changed, and when that was by our clock.
#[derive(Clone, Debug)]
struct Seen {
    resource_version: Option<String>,
    at: Instant,
}

/// What a candidate may do about a Lease.
#[derive(Debug, PartialEq, Eq)]
enum Claim {
    /// It is ours: renew it.
    Renew,
    /// Nobody holds it, or its holder has not been heard of: take it.
    Take,
    /// Somebody else holds it.
    Wait,
}

impl Election {
    /// A candidate called `identity` for the Lease `name`.
    pub(crate) fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Self {
        let leases = Api::namespaced(client, namespace);
        Self { leases, name: name.to_owned(), identity: identity.to_owned(), seen: None }
    }

    /// Completes when the Lease is ours. Errors of the server are logged, and tried again.
    /// Cancel-safe.
    pub(crate) async fn acquire(&mut self) {
        loop {
            match self.attempt().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, lease = self.name, "cannot read the lease"),
            }
            sleep(RETRY).await;
        }
    }

    /// Renews the Lease for as long as that works; completes with the reason why it is lost.
    pub(crate) async fn keep(&mut self) -> Error {
        let mut renewed = Instant::now();
        loop {
            sleep(RETRY).await;
            match self.attempt().await {
                Ok(true) => renewed = Instant::now(),
                Ok(false) => return Error::LeaseLost("another operator holds it".to_owned()),
                Err(error) if renewed.elapsed() >= DEADLINE => {
                    return Error::LeaseLost(format!("it could not be renewed: {error}"));
                }
                Err(error) => tracing::warn!(%error, lease = self.name, "cannot renew the lease"),
            }
        }
    }

    /// Gives the Lease back, so that the next operator need not wait until it runs out.
    pub(crate) async fn release(&mut self) {
        let released = async {
            let Some(mut lease) = self.leases.get_opt(&self.name).await? else { return Ok(()) };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() != Some(&self.identity) {
                return Ok(());
            }
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            self.leases.replace(&self.name, &PostParams::default(), &lease).await.map(|_| ())
        };
        if let Ok(Err(error)) = timeout(REQUEST, released).await {
            tracing::warn!(%error, lease = self.name, "cannot release the lease");
        }
    }

    /// One try to get or to renew it.
    async fn attempt(&mut self) -> Result<bool, String> {
        match timeout(REQUEST, self.swap()).await {
            Ok(Ok(held)) => Ok(held),
            Ok(Err(kube::Error::Api(status)))
                if status.is_conflict() || status.is_already_exists() =>
            {
                // Somebody was faster. Whoever it was, the next try sees it.
                Ok(false)
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer for {REQUEST:?}")),
        }
    }

    async fn swap(&mut self) -> kube::Result<bool> {
        let now = MicroTime(Timestamp::now());
        let params = PostParams::default();
        let Some(mut lease) = self.leases.get_opt(&self.name).await? else {
            let mut lease = Lease::default();
            lease.metadata.name = Some(self.name.clone());
            lease.spec = Some(self.held(&LeaseSpec::default(), now));
            self.leases.create(&params, &lease).await?;
            return Ok(true);
        };
        let spec = lease.spec.take().unwrap_or_default();
        self.see(lease.metadata.resource_version.as_deref());
        if self.claim(&spec) == Claim::Wait {
            return Ok(false);
        }
        lease.spec = Some(self.held(&spec, now));
        self.leases.replace(&self.name, &params, &lease).await?;
        Ok(true)
    }

    fn see(&mut self, resource_version: Option<&str>) {
        let known = self.seen.as_ref().map(|seen| seen.resource_version.as_deref());
        if known != Some(resource_version) {
            let resource_version = resource_version.map(str::to_owned);
            self.seen = Some(Seen { resource_version, at: Instant::now() });
        }
    }

    fn claim(&self, spec: &LeaseSpec) -> Claim {
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        if holder == self.identity {
            return Claim::Renew;
        }
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let duration = seconds.map_or(DURATION, Duration::from_secs);
        let abandoned = self.seen.as_ref().is_some_and(|seen| seen.at.elapsed() > duration);
        if holder.is_empty() || abandoned { Claim::Take } else { Claim::Wait }
    }

    /// The Lease as it is when we hold it.
    fn held(&self, before: &LeaseSpec, now: MicroTime) -> LeaseSpec {
        let ours = before.holder_identity.as_deref() == Some(&self.identity);
        let transitions = before.lease_transitions.unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: if ours { before.acquire_time.clone() } else { Some(now.clone()) },
            renew_time: Some(now),
            lease_transitions: Some(if ours { transitions } else { transitions.saturating_add(1) }),
            ..LeaseSpec::default()
        }
    }
}
