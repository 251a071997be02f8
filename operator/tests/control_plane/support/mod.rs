//! A control plane with the CRD, and an operator that the test starts, stops and kills.

mod answering;
mod http;
mod operator;
mod pods;
mod process;
mod queue;
mod seen;

use std::fmt::Debug;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::Condition;
use kube::{Api, Client, Resource, ResourceExt};
use lifeboat_api::queue::PersistentQueue;
use lifeboat_e2e::{ControlPlane, until};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing_subscriber::EnvFilter;

pub(crate) use self::answering::Answering;
pub(crate) use self::operator::{Operator, kill_later_and_later, options};
pub(crate) use self::pods::{Pods, consumed};
pub(crate) use self::process::Process;
pub(crate) use self::queue::{orders, orders_with};
pub(crate) use self::seen::{available, condition, everything, everything_at_rest};

/// Control planes at one time: each is three busy processes.
static PLANES: Semaphore = Semaphore::const_new(2);

/// The name of the CRD.
const CRD: &str = "persistentqueues.lifeboat.dev";

/// A control plane with the CRD. There is no operator yet.
pub(crate) struct Cluster {
    pub(crate) plane: ControlPlane,
    pub(crate) client: Client,
    _permit: SemaphorePermit<'static>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let cluster = Self::without_crd().await;
        let text = lifeboat_api::queue::manifest().unwrap();
        let crd: Value = lifeboat_api::parse(&text).unwrap();
        let crds = Api::<CustomResourceDefinition>::all(cluster.client.clone());
        let params = PatchParams::apply("test");
        crds.patch(CRD, &params, &Patch::Apply(&crd)).await.unwrap();
        cluster.until_crd().await;
        cluster
    }

    /// The same, but for the CRD.
    pub(crate) async fn without_crd() -> Self {
        let filter = EnvFilter::try_from_env("LIFEBOAT_LOG")
            .unwrap_or_else(|_| "info,kube_client=off".into());
        // The first test of the process has set it up.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_test_writer()
            .try_init();
        let permit = PLANES.acquire().await.unwrap();
        let plane = ControlPlane::start().await.unwrap();
        let client = plane.client();
        Self { plane, client, _permit: permit }
    }

    /// Waits until queues can be created.
    pub(crate) async fn until_crd(&self) {
        let crds = Api::<CustomResourceDefinition>::all(self.client.clone());
        until("an established CRD", async || {
            let crd = crds.get_opt(CRD).await.unwrap();
            let is = is_crd_established().matches_object(crd.as_ref());
            is.then_some(()).ok_or("not yet".to_owned())
        })
        .await
        .unwrap();
    }

    /// Objects of the default namespace.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), "default")
    }

    /// Creates a queue.
    pub(crate) async fn create(&self, queue: Value) -> PersistentQueue {
        let queue: PersistentQueue = serde_json::from_value(queue).unwrap();
        self.api().create(&PostParams::default(), &queue).await.unwrap()
    }

    /// Merges `change` into a queue.
    pub(crate) async fn change(&self, name: &str, change: Value) -> PersistentQueue {
        let params = PatchParams::default();
        self.api().patch(name, &params, &Patch::Merge(change)).await.unwrap()
    }

    /// Waits until there is such an object and it is as `wanted` says, which answers what it is.
    pub(crate) async fn until<K, T>(
        &self,
        what: &str,
        name: &str,
        wanted: impl Fn(&K) -> Result<T, String>,
    ) -> T
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + Debug + DeserializeOwned,
    {
        let api = self.api::<K>();
        until(what, async || match api.get_opt(name).await {
            Ok(Some(object)) => wanted(&object),
            Ok(None) => Err(format!("no {name}")),
            Err(error) => Err(error.to_string()),
        })
        .await
        .unwrap()
    }

    /// Waits until a queue's pod is ready, and not the one with the uid `not`.
    pub(crate) async fn until_pod(&self, name: &str, not: Option<&Pod>) -> Pod {
        self.until("a pod that is ready", name, |pod: &Pod| {
            let conditions = pod.status.iter().flat_map(|it| it.conditions.iter().flatten());
            let ready = conditions.clone().any(|it| it.type_ == "Ready" && it.status == "True");
            let going = pod.metadata.deletion_timestamp.is_some();
            let another = not.is_none_or(|not| not.uid() != pod.uid());
            let is = ready && !going && another;
            is.then(|| pod.clone()).ok_or(format!("{:?}", pod.status))
        })
        .await
    }

    /// Waits until there is no such object.
    pub(crate) async fn until_gone<K>(&self, name: &str)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + Debug + DeserializeOwned,
    {
        let api = self.api::<K>();
        until(&format!("no {name}"), async || {
            api.get_opt(name).await.unwrap().map_or(Ok(()), |_| Err("there".to_owned()))
        })
        .await
        .unwrap();
    }

    /// Waits until a queue's condition has this status and reason; answers its message.
    pub(crate) async fn until_condition(
        &self,
        queue: &str,
        type_: &str,
        status: &str,
        reason: &str,
    ) -> String {
        let what = format!("{type_}={status} for {reason}");
        self.until(&what, queue, |queue: &PersistentQueue| {
            let found = condition(queue, type_).ok_or_else(|| format!("{:?}", queue.status))?;
            let is = found.status == status && found.reason == reason;
            if is { Ok(found.message) } else { Err(format!("{found:?}")) }
        })
        .await
    }

    /// Waits until a queue has so many replicas, all available.
    pub(crate) async fn until_available(&self, queue: &str, replicas: i32) -> StatefulSet {
        let what = format!("{replicas} available replicas");
        self.until(&what, queue, |set| available(set, replicas)).await
    }

    /// Name and resourceVersion of every object of a kind that belongs to a queue.
    pub(crate) async fn versions<K>(&self) -> Vec<(String, String)>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + Debug + DeserializeOwned,
    {
        let ours = ListParams::default().labels("lifeboat.dev/queue");
        let list = self.api::<K>().list(&ours).await.unwrap();
        let version = |it: &K| (it.name_any(), it.resource_version().unwrap());
        let mut versions: Vec<_> = list.iter().map(version).collect();
        versions.sort();
        versions
    }
}
