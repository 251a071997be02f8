//! Carries out the steps of a plan. Each names the object that it means by uid; where that is gone
//! or another has its name, the step is over and the next look tells what is to be done.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::Status;
use kube::{Api, Client, Resource, ResourceExt};
use lifeboat_api::queue::PersistentQueue;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::labels;
use crate::names;
use crate::plan::{ASKED_STATE, Step};
use crate::run::metrics::Metrics;
use crate::run::wanted::{Unapplied, failure};

/// Carries out steps for one queue.
pub(crate) struct Steps<'a> {
    pub(crate) client: &'a Client,
    pub(crate) metrics: &'a Metrics,
    pub(crate) queue: &'a PersistentQueue,
}

impl Steps<'_> {
    /// Carries out one after the other.
    ///
    /// # Errors
    /// The first that fails ends it.
    pub(crate) async fn take_all(&self, steps: &[Step]) -> Result<(), Unapplied> {
        for step in steps {
            self.take(step).await?;
        }
        Ok(())
    }

    /// Carries out each, whatever becomes of the others.
    ///
    /// # Errors
    /// The first.
    pub(crate) async fn take_each(&self, steps: &[Step]) -> Result<(), Unapplied> {
        let mut taken = Ok(());
        for step in steps {
            let result = self.take(step).await;
            taken = taken.and(result);
        }
        taken
    }

    /// Carries out one.
    ///
    /// # Errors
    /// Of the server, other than that the object has moved on: what it refuses for good (a quota, a
    /// policy) is `Refused`.
    async fn take(&self, step: &Step) -> Result<(), Unapplied> {
        let (namespace, queue) = (self.namespace(), &self.queue.metadata.name);
        tracing::info!(namespace, queue, ?step, "step");
        match step {
            Step::Accept { pod, uid, accept } => {
                let value = if *accept { json!(labels::TRUE) } else { Value::Null };
                let label = json!({"metadata": {"uid": uid, "labels": {labels::ACCEPTING: value}}});
                self.patch::<Pod>("Pod", pod, &Patch::Merge(label)).await
            }
            Step::Ask { pod, uid, state } => {
                let asked = json!({"metadata": {"uid": uid, "annotations": {ASKED_STATE: state}}});
                self.patch::<Pod>("Pod", pod, &Patch::Merge(asked)).await
            }
            Step::GrowClaim { claim, uid, size } => {
                let size = json!({"resources": {"requests": {"storage": size}}});
                let patch = json!({"metadata": {"uid": uid}, "spec": size});
                self.claim(claim, &Patch::Merge(patch)).await
            }
            Step::SetAttributes { claim, uid, class } => {
                let class = json!({"volumeAttributesClassName": class});
                let patch = json!({"metadata": {"uid": uid}, "spec": class});
                self.claim(claim, &Patch::Merge(patch)).await
            }
            Step::MarkDrained { claim, uid, log_id } => {
                let label = json!({"metadata": {"uid": uid, "labels": {labels::DRAINED: log_id}}});
                self.claim(claim, &Patch::Merge(label)).await
            }
            Step::OwnClaim { claim, uid, owned } => {
                let owners =
                    json!({"metadata": {"uid": uid, "ownerReferences": [self.owner(*owned)]}});
                self.claim(claim, &Patch::Strategic(owners)).await
            }
            Step::Orphan { uid, resource_version } => {
                let name =
                    names::stateful_set(self.queue.metadata.name.as_deref().unwrap_or_default());
                let params = DeleteParams::orphan();
                self.delete::<StatefulSet>(
                    "StatefulSet",
                    &name,
                    params,
                    uid,
                    Some(resource_version),
                )
                .await
            }
            Step::DeleteClaim { claim, uid, resource_version } => {
                let (kind, params) = ("PersistentVolumeClaim", DeleteParams::default());
                self.delete::<PersistentVolumeClaim>(
                    kind,
                    claim,
                    params,
                    uid,
                    Some(resource_version),
                )
                .await
            }
            Step::RestartPod { pod, uid } => {
                self.delete::<Pod>("Pod", pod, DeleteParams::default(), uid, None).await
            }
            Step::Forget { annotation, value } => self.forget(annotation, value).await,
        }
    }

    /// Only of the version that was seen: whoever asks anew meanwhile is heard.
    async fn forget(&self, annotation: &str, value: &str) -> Result<(), Unapplied> {
        let there = self.queue.annotations().get(annotation).map(String::as_str);
        if there != Some(value) {
            return Ok(());
        }
        let metadata = json!({
            "uid": self.queue.metadata.uid,
            "resourceVersion": self.queue.metadata.resource_version,
            "annotations": {annotation: Value::Null},
        });
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        self.patch::<PersistentQueue>("PersistentQueue", &self.queue.name_any(), &patch).await
    }

    /// The queue as an owner that the garbage collector heeds and nobody waits for, or the order to
    /// take it out of the list.
    fn owner(&self, owned: bool) -> Value {
        if owned {
            json!(self.queue.owner_ref(&()))
        } else {
            json!({"$patch": "delete", "uid": self.queue.metadata.uid})
        }
    }

    async fn claim(&self, name: &str, patch: &Patch<Value>) -> Result<(), Unapplied> {
        self.patch::<PersistentVolumeClaim>("PersistentVolumeClaim", name, patch).await
    }

    async fn patch<K>(&self, kind: &str, name: &str, patch: &Patch<Value>) -> Result<(), Unapplied>
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
        K: Clone + std::fmt::Debug + DeserializeOwned,
    {
        let params = PatchParams {
            field_manager: Some(labels::MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let result = self.api::<K>().patch(name, &params, patch).await;
        self.done(kind, name, "patch", result.map(drop))
    }

    async fn delete<K>(
        &self,
        kind: &str,
        name: &str,
        params: DeleteParams,
        uid: &str,
        resource_version: Option<&String>,
    ) -> Result<(), Unapplied>
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
        K: Clone + std::fmt::Debug + DeserializeOwned,
    {
        let preconditions = Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: resource_version.cloned(),
        };
        let result = self.api::<K>().delete(name, &params.preconditions(preconditions)).await;
        self.done(kind, name, "delete", result.map(drop))
    }

    fn namespace(&self) -> &str {
        self.queue.metadata.namespace.as_deref().unwrap_or_default()
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), self.namespace())
    }

    fn done(
        &self,
        kind: &str,
        name: &str,
        verb: &str,
        result: kube::Result<()>,
    ) -> Result<(), Unapplied> {
        match result {
            Ok(()) => self.metrics.wrote(kind, verb),
            Err(kube::Error::Api(status)) if has_moved_on(&status) => {
                tracing::info!(kind, verb, message = status.message, "the object has moved on");
            }
            Err(error) => return Err(failure(format!("{kind} {name}"), error)),
        }
        Ok(())
    }
}

/// The object is gone, has changed, or is another one by the same name.
fn has_moved_on(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let another = causes.into_iter().any(|cause| cause.field == "metadata.uid");
    status.is_not_found() || status.is_conflict() || another
}
