//! Server-side apply of the objects that are wanted: one field manager, the StatefulSet last, and
//! nothing at all where nothing changed.
//!
//! What was applied is remembered by a hash of it, together with what the server's object looked
//! like afterwards. As long as both are the same, no request is made; a change by anybody else
//! shows in the object's metadata and has it applied again. A restarted operator applies
//! everything once, which the server does not write when it is the same.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ObjectMeta, Patch, PatchParams, Preconditions,
};
use kube::core::Status;
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use crate::labels;
use crate::observed::Observed;
use crate::run::cache::{Cache, Concerned, set_resource};
use crate::run::lock::Locked;
use crate::run::metrics::Metrics;

/// The kind that is applied last, and tried first.
const SET: &str = "StatefulSet";
/// The kind of the sidecars' configuration.
const CONFIG: &str = "ConfigMap";

/// HTTP's code for what cannot be read.
const BAD_REQUEST: u16 = 400;
/// What the server says of a field that it does not know.
const UNKNOWN_FIELD: &str = "field not declared in schema";

/// Why objects could not be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unapplied {
    /// The server will not have it, however often it is asked: somebody has to change something.
    #[error("{0}")]
    Refused(String),
    /// It was decided by what has changed since.
    #[error("{0} has changed meanwhile")]
    Behind(String),
    /// It may work later.
    #[error("{what}: {source}")]
    Failed {
        what: String,
        #[source]
        source: kube::Error,
    },
}

/// Applies objects, and knows which it has applied.
pub(crate) struct Applier {
    client: Client,
    metrics: Metrics,
    /// By queue, then by kind and name.
    applied: Locked<HashMap<Concerned, HashMap<Key, Applied>>>,
}

/// Kind and name.
type Key = (String, String);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Applied {
    wanted: u64,
    server: u64,
}

impl Applier {
    pub(crate) fn new(client: Client, metrics: Metrics) -> Self {
        Self { client, metrics, applied: Locked::default() }
    }

    /// Applies `objects` in their order, and deletes what an earlier spec of `queue` had made and
    /// this one does not want. A StatefulSet that is to change is tried first, without doing it:
    /// where the server will not have it, nothing is changed. The StatefulSet and the ConfigMap
    /// carry decisions about what was `observed`; where they have changed since, this fails.
    ///
    /// # Errors
    /// The first object that could not be applied; those before it were.
    pub(crate) async fn apply(
        &self,
        queue: &Concerned,
        objects: &[Value],
        observed: &Observed,
        cache: &Cache,
    ) -> Result<(), Unapplied> {
        let objects: Vec<_> = objects.iter().map(|object| Object::of(object, observed)).collect();
        let changed: Vec<_> =
            objects.iter().filter(|object| !self.is_applied(queue, object, cache)).collect();
        for set in changed.iter().filter(|object| object.kind == SET) {
            self.patch(set, true).await?;
        }
        for object in &changed {
            self.own(queue, object, cache).await?;
            let now = self.patch(object, false).await?;
            let applied = Applied { wanted: object.hash, server: fingerprint(&now.metadata) };
            let mut queues = self.applied.lock();
            queues.entry(queue.clone()).or_default().insert(object.key(), applied);
        }
        self.sweep(queue, &objects, cache).await
    }

    /// Forgets what was applied for a queue that is gone.
    pub(crate) fn forget(&self, queue: &Concerned) {
        self.applied.lock().remove(queue);
    }

    fn is_applied(&self, queue: &Concerned, object: &Object<'_>, cache: &Cache) -> bool {
        let Some(server) = cache.metadata(object.kind, object.namespace, object.name) else {
            return false;
        };
        let applied = Applied { wanted: object.hash, server: fingerprint(&server) };
        let queues = self.applied.lock();
        queues.get(queue).and_then(|objects| objects.get(&object.key())) == Some(&applied)
    }

    async fn patch(&self, object: &Object<'_>, dry_run: bool) -> Result<DynamicObject, Unapplied> {
        let params = PatchParams { dry_run, ..PatchParams::apply(labels::MANAGER).force() };
        let api = self.api(object.kind, object.namespace)?;
        let patch = Patch::Apply(object.value.as_ref());
        let now = api.patch(object.name, &params, &patch).await.map_err(|e| object.failure(e))?;
        if !dry_run {
            self.metrics.wrote(object.kind, "apply");
            tracing::info!(
                kind = object.kind,
                namespace = object.namespace,
                name = object.name,
                "applied"
            );
        }
        Ok(now)
    }

    /// Makes sure that an object that the watch does not show is not there: its name may be taken by
    /// one that has nothing to do with any queue, or the watch may be behind.
    async fn own(
        &self,
        queue: &Concerned,
        object: &Object<'_>,
        cache: &Cache,
    ) -> Result<(), Unapplied> {
        if cache.metadata(object.kind, object.namespace, object.name).is_some() {
            return Ok(());
        }
        let api = self.api(object.kind, object.namespace)?;
        let there = api.get_metadata_opt(object.name).await.map_err(|e| object.failure(e))?;
        let Some(there) = there else { return Ok(()) };
        if there.labels().get(labels::QUEUE) != Some(&queue.name) {
            let message = format!(
                "{} {} exists and does not belong to this queue; rename one of them",
                object.kind, object.name
            );
            return Err(Unapplied::Refused(message));
        }
        if object.carries_decisions() { Err(Unapplied::Behind(object.what())) } else { Ok(()) }
    }

    /// Deletes what is no longer wanted. Never a StatefulSet.
    async fn sweep(
        &self,
        queue: &Concerned,
        wanted: &[Object<'_>],
        cache: &Cache,
    ) -> Result<(), Unapplied> {
        for (kind, metadata) in cache.children(queue) {
            let (Some(name), Some(namespace)) = (&metadata.name, &metadata.namespace) else {
                continue;
            };
            let is_wanted = wanted.iter().any(|object| object.kind == kind && object.name == name);
            let made_here =
                metadata.labels.as_ref().and_then(|labels| labels.get(labels::MANAGED_BY));
            let going = metadata.deletion_timestamp.is_some();
            if is_wanted || going || made_here.map(String::as_str) != Some(labels::MANAGER) {
                continue;
            }
            let preconditions = Preconditions { uid: metadata.uid.clone(), resource_version: None };
            let params = DeleteParams::background().preconditions(preconditions);
            match self.api(kind, namespace)?.delete(name, &params).await {
                Ok(_) => {
                    self.metrics.wrote(kind, "delete");
                    tracing::info!(kind, namespace, name, "deleted: no longer wanted");
                }
                // Gone, or another by that name: the next look will tell.
                Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
                Err(source) => {
                    return Err(Unapplied::Failed {
                        what: format!("deleting {kind} {name}"),
                        source,
                    });
                }
            }
        }
        Ok(())
    }

    fn api(&self, kind: &str, namespace: &str) -> Result<Api<DynamicObject>, Unapplied> {
        let resource = match kind {
            SET => set_resource(),
            CONFIG => ApiResource::erase::<ConfigMap>(&()),
            "Service" => ApiResource::erase::<Service>(&()),
            "PodDisruptionBudget" => ApiResource::erase::<PodDisruptionBudget>(&()),
            "NetworkPolicy" => ApiResource::erase::<NetworkPolicy>(&()),
            other => return Err(Unapplied::Refused(format!("{other}: the operator makes none"))),
        };
        Ok(Api::namespaced_with(self.client.clone(), namespace, &resource))
    }
}

/// One object that is wanted.
struct Object<'a> {
    value: Cow<'a, Value>,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    hash: u64,
}

impl<'a> Object<'a> {
    fn of(value: &'a Value, observed: &Observed) -> Self {
        let text =
            |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        // Objects are built by the same steps each time: the same object is the same text.
        value.to_string().hash(&mut hasher);
        let kind = text("/kind");
        Self {
            value: pinned(value, version(kind, observed)),
            kind,
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
            hash: hasher.finish(),
        }
    }

    fn key(&self) -> Key {
        (self.kind.to_owned(), self.name.to_owned())
    }

    fn what(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    fn carries_decisions(&self) -> bool {
        matches!(self.kind, SET | CONFIG)
    }

    /// Tells what the server will never have from what may work later.
    fn failure(&self, error: kube::Error) -> Unapplied {
        match error {
            kube::Error::Api(status) if is_final(&status) => {
                Unapplied::Refused(format!("{}: {}", self.what(), status.message))
            }
            kube::Error::Api(status) if status.is_conflict() => Unapplied::Behind(self.what()),
            source => Unapplied::Failed { what: self.what(), source },
        }
    }
}

/// Whether the server will say the same again. A field that it does not know is an internal error
/// to it, by its text alone told from others.
fn is_final(status: &Status) -> bool {
    status.is_invalid()
        || status.is_forbidden()
        || status.code == BAD_REQUEST
        || status.message.contains(UNKNOWN_FIELD)
}

/// The version of the object that the decisions in its successor were made by.
fn version<'a>(kind: &str, observed: &'a Observed) -> Option<&'a str> {
    let metadata = match kind {
        SET => &observed.stateful_set.as_ref()?.metadata,
        CONFIG => &observed.config_map.as_ref()?.metadata,
        _ => return None,
    };
    metadata.resource_version.as_deref()
}

/// The object, to be applied over this version alone.
fn pinned<'a>(value: &'a Value, version: Option<&str>) -> Cow<'a, Value> {
    let Some(version) = version else { return Cow::Borrowed(value) };
    let mut value = value.clone();
    value["metadata"]["resourceVersion"] = version.into();
    Cow::Owned(value)
}

/// Changes whenever somebody changes the object, but not when a controller writes its status:
/// the generation where there is one, else the resourceVersion, and the metadata that is ours.
fn fingerprint(metadata: &ObjectMeta) -> u64 {
    let mut hasher = DefaultHasher::new();
    metadata.uid.hash(&mut hasher);
    match metadata.generation {
        Some(generation) => generation.hash(&mut hasher),
        None => metadata.resource_version.hash(&mut hasher),
    }
    metadata.labels.hash(&mut hasher);
    metadata.annotations.hash(&mut hasher);
    metadata.deletion_timestamp.is_some().hash(&mut hasher);
    let owners = metadata.owner_references.iter().flatten();
    owners.map(|owner| owner.uid.as_str()).collect::<Vec<_>>().hash(&mut hasher);
    hasher.finish()
}
