//! Server-side apply of the objects that are wanted: one field manager, the StatefulSet last, and
//! nothing at all where nothing changed.
//!
//! What was applied is remembered by a hash of it, together with what the server's object looked
//! like afterwards. As long as both are the same, no request is made; a change by anybody else
//! shows in the object's metadata and has it applied again. A restarted operator applies
//! everything once, which the server does not write when it is the same.

use std::collections::HashMap;

use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::{Api, Client};
use serde_json::Value;

use crate::labels;
use crate::observed::Observed;
use crate::run::cache::{Cache, Concerned};
use crate::run::lock::Locked;
use crate::run::metrics::Metrics;
use crate::run::wanted::{Key, SET, Unapplied, Wanted, fingerprint, resource};

/// Applies objects, and knows which it has applied.
pub(crate) struct Applier {
    client: Client,
    metrics: Metrics,
    /// By queue, then by kind and name.
    applied: Locked<HashMap<Concerned, HashMap<Key, Applied>>>,
}

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
        let objects: Vec<_> = objects.iter().map(|object| Wanted::of(object, observed)).collect();
        let is_due =
            |object: &&Wanted<'_>| !object.is_going && !self.is_applied(queue, object, cache);
        let changed: Vec<_> = objects.iter().filter(is_due).collect();
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

    fn is_applied(&self, queue: &Concerned, object: &Wanted<'_>, cache: &Cache) -> bool {
        let Some(server) = cache.metadata(object.kind, object.namespace, object.name) else {
            return false;
        };
        let applied = Applied { wanted: object.hash, server: fingerprint(&server) };
        let queues = self.applied.lock();
        queues.get(queue).and_then(|objects| objects.get(&object.key())) == Some(&applied)
    }

    async fn patch(&self, object: &Wanted<'_>, dry_run: bool) -> Result<DynamicObject, Unapplied> {
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

    /// Makes sure that the object is this queue's, if there is one: its name may be taken by another
    /// queue's (`orders-pods` is a Service of `orders`), or by one that has nothing to do with any
    /// queue, which the watch does not show.
    async fn own(
        &self,
        queue: &Concerned,
        object: &Wanted<'_>,
        cache: &Cache,
    ) -> Result<(), Unapplied> {
        if let Some(there) = cache.metadata(object.kind, object.namespace, object.name) {
            return object.check_owner(&queue.name, &there);
        }
        let api = self.api(object.kind, object.namespace)?;
        let there = api.get_metadata_opt(object.name).await.map_err(|e| object.failure(e))?;
        let Some(there) = there else { return Ok(()) };
        object.check_owner(&queue.name, &there.metadata)?;
        if object.carries_decisions() { Err(Unapplied::Behind(object.what())) } else { Ok(()) }
    }

    /// Deletes what is no longer wanted. Never a StatefulSet.
    async fn sweep(
        &self,
        queue: &Concerned,
        wanted: &[Wanted<'_>],
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
        Ok(Api::namespaced_with(self.client.clone(), namespace, &resource(kind)?))
    }
}
