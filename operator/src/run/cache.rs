//! What the operator watches: everything that carries the label of a queue, in one scope (a
//! namespace, or all of them), and whom a change concerns. It must not decide anything.
//!
//! A cache can be behind. Whatever destroys therefore says which object it means, by uid and
//! resourceVersion, and the server refuses it when that has moved on.

use std::fmt::Debug;
use std::hash::Hash;

use futures::stream::{self, BoxStream};
use futures::{FutureExt, Stream, StreamExt, future};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ApiResource, DynamicObject, ObjectMeta, PartialObjectMeta};
use kube::core::NamespaceScope;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use lifeboat_api::queue::PersistentQueue;
use serde::de::DeserializeOwned;

use crate::labels;
use crate::run::metrics::Metrics;

/// A queue that something was seen of.
pub(crate) type Concerned = ObjectRef<PersistentQueue>;

/// Everything of one scope, as the watches last saw it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cache {
    pub(crate) queues: Store<PersistentQueue>,
    /// Raw, so that fields of newer versions survive.
    pub(crate) sets: Store<DynamicObject>,
    pub(crate) pods: Store<Pod>,
    pub(crate) claims: Store<PersistentVolumeClaim>,
    pub(crate) config_maps: Store<ConfigMap>,
    services: Store<PartialObjectMeta<Service>>,
    budgets: Store<PartialObjectMeta<PodDisruptionBudget>>,
    policies: Store<PartialObjectMeta<NetworkPolicy>>,
}

impl Cache {
    /// Watches `namespace`, or all; the stream names each queue that a change concerns, and must be
    /// polled for the cache to follow.
    pub(crate) fn watch(
        client: &Client,
        namespace: Option<&str>,
        metrics: &Metrics,
    ) -> (Self, BoxStream<'static, Concerned>) {
        let streams = Vec::new();
        let mut watch = Watch { client, namespace, metrics, streams };
        let ours = watcher::Config::default().labels(labels::QUEUE);
        let itself = |queue: &PersistentQueue| Some(ObjectRef::from_obj(queue));
        let cache = Self {
            queues: watch.all(&(), watcher::Config::default(), itself),
            sets: watch.all(&set_resource(), ours.clone(), owner),
            pods: watch.all(&(), ours.clone(), owner),
            claims: watch.all(&(), ours.clone(), owner),
            config_maps: watch.all(&(), ours.clone(), owner),
            services: watch.all(&(), ours.clone(), owner),
            budgets: watch.all(&(), ours.clone(), owner),
            policies: watch.all(&(), ours, owner),
        };
        (cache, stream::select_all(watch.streams).boxed())
    }

    /// Completes when every watch has seen all there is.
    pub(crate) async fn filled(&self) -> bool {
        self.queues.wait_until_ready().await.is_ok()
            && self.sets.wait_until_ready().await.is_ok()
            && self.pods.wait_until_ready().await.is_ok()
            && self.claims.wait_until_ready().await.is_ok()
            && self.config_maps.wait_until_ready().await.is_ok()
            && self.services.wait_until_ready().await.is_ok()
            && self.budgets.wait_until_ready().await.is_ok()
            && self.policies.wait_until_ready().await.is_ok()
    }

    /// Whether that is so now.
    pub(crate) fn is_filled(&self) -> bool {
        self.filled().now_or_never().unwrap_or(false)
    }

    /// The metadata of an object of a kind that the operator applies.
    pub(crate) fn metadata(&self, kind: &str, namespace: &str, name: &str) -> Option<ObjectMeta> {
        match kind {
            "StatefulSet" => get(&self.sets, set_resource(), namespace, name),
            "ConfigMap" => get(&self.config_maps, (), namespace, name),
            "Service" => get(&self.services, (), namespace, name),
            "PodDisruptionBudget" => get(&self.budgets, (), namespace, name),
            "NetworkPolicy" => get(&self.policies, (), namespace, name),
            _ => None,
        }
    }

    /// What could have become superfluous: kind and metadata of every object that the operator
    /// applies for `queue`, but for the StatefulSet, which is never superfluous.
    pub(crate) fn children(&self, queue: &Concerned) -> Vec<(&'static str, ObjectMeta)> {
        let mut found = Vec::new();
        collect(&self.config_maps, queue, "ConfigMap", &mut found);
        collect(&self.services, queue, "Service", &mut found);
        collect(&self.budgets, queue, "PodDisruptionBudget", &mut found);
        collect(&self.policies, queue, "NetworkPolicy", &mut found);
        found
    }
}

/// The StatefulSet's resource.
pub(crate) fn set_resource() -> ApiResource {
    ApiResource::erase::<StatefulSet>(&())
}

/// The queue that an object's label names.
pub(crate) fn owner<K: Resource>(object: &K) -> Option<Concerned> {
    let name = object.labels().get(labels::QUEUE)?;
    Some(ObjectRef::new(name).within(object.namespace().as_deref()?))
}

fn get<K>(
    store: &Store<K>,
    dynamic: K::DynamicType,
    namespace: &str,
    name: &str,
) -> Option<ObjectMeta>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    let key = ObjectRef::new_with(name, dynamic).within(namespace);
    store.get(&key).map(|object| object.meta().clone())
}

fn collect<K>(
    store: &Store<K>,
    queue: &Concerned,
    kind: &'static str,
    found: &mut Vec<(&'static str, ObjectMeta)>,
) where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let theirs = store.state_filter(|object| owner(object).as_ref() == Some(queue));
    found.extend(theirs.iter().map(|object| (kind, object.meta().clone())));
}

/// How a scope is watched, and the watches so far.
struct Watch<'a> {
    client: &'a Client,
    namespace: Option<&'a str>,
    metrics: &'a Metrics,
    streams: Vec<BoxStream<'static, Concerned>>,
}

impl Watch<'_> {
    /// Begins to watch one kind of objects.
    fn all<K>(
        &mut self,
        dynamic: &K::DynamicType,
        config: watcher::Config,
        concerned: impl Fn(&K) -> Option<Concerned> + Send + 'static,
    ) -> Store<K>
    where
        K: Resource<Scope: NamespaceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
        K::DynamicType: Debug + Eq + Hash + Clone + Send + Sync + Unpin,
    {
        let everywhere = "";
        let api = Api::all_with(self.client.clone(), dynamic)
            .constrain(self.namespace.unwrap_or(everywhere));
        let writer = Writer::new(dynamic.clone());
        let store = writer.as_reader();
        let objects = follow(api, config, writer, dynamic, self.metrics.clone(), |_| {});
        self.streams.push(objects.filter_map(move |it| future::ready(concerned(&it))).boxed());
        store
    }
}

/// Keeps a cache filled, for as long as the stream is polled: each object that appears, changes or
/// goes. `slim` takes away what nobody reads.
pub(crate) fn follow<K>(
    api: Api<K>,
    config: watcher::Config,
    writer: Writer<K>,
    dynamic: &K::DynamicType,
    metrics: Metrics,
    slim: impl Fn(&mut K) + Send + 'static,
) -> impl Stream<Item = K> + Send + 'static
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Debug + Eq + Hash + Clone + Send + Sync + Unpin,
{
    let kind = K::kind(dynamic).into_owned();
    watcher(api, config)
        .default_backoff()
        .modify(move |object| {
            // Often the largest part of an object.
            object.managed_fields_mut().clear();
            slim(object);
        })
        .reflect(writer)
        .touched_objects()
        .filter_map(move |event| {
            future::ready(
                event
                    .inspect_err(|error| {
                        metrics.watch_failed(&kind);
                        tracing::warn!(%error, kind, "a watch broke; it is started again");
                    })
                    .ok(),
            )
        })
}
