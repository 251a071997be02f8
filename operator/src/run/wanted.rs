//! One object that is wanted: what identifies it, what it was decided by, and what the server's
//! answers to it mean. Pure.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ApiResource, ObjectMeta};
use kube::core::Status;
use serde_json::Value;

use crate::labels;
use crate::observed::Observed;
use crate::run::cache::set_resource;

/// The kind that is applied last, and tried first.
pub(crate) const SET: &str = "StatefulSet";
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

/// Kind and name.
pub(crate) type Key = (String, String);

/// One object that is wanted.
pub(crate) struct Wanted<'a> {
    pub(crate) value: Cow<'a, Value>,
    pub(crate) kind: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) hash: u64,
    /// There is one that is being deleted: its successor is made when it is gone.
    pub(crate) is_going: bool,
}

impl<'a> Wanted<'a> {
    pub(crate) fn of(value: &'a Value, observed: &Observed) -> Self {
        let text =
            |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        // Objects are built by the same steps each time: the same object is the same text.
        value.to_string().hash(&mut hasher);
        let kind = text("/kind");
        let basis = basis(kind, observed);
        Self {
            value: pinned(value, basis),
            kind,
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
            hash: hasher.finish(),
            is_going: basis.is_some_and(|basis| basis.deletion_timestamp.is_some()),
        }
    }

    pub(crate) fn key(&self) -> Key {
        (self.kind.to_owned(), self.name.to_owned())
    }

    pub(crate) fn what(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    pub(crate) fn carries_decisions(&self) -> bool {
        matches!(self.kind, SET | CONFIG)
    }

    /// That the object that is there is this queue's.
    ///
    /// # Errors
    /// It is another's.
    pub(crate) fn check_owner(&self, queue: &str, there: &ObjectMeta) -> Result<(), Unapplied> {
        let label = there.labels.as_ref().and_then(|labels| labels.get(labels::QUEUE));
        let owner = match label {
            Some(owner) if owner == queue => return Ok(()),
            Some(owner) => format!("belongs to the queue {owner}"),
            None => "does not belong to this queue".to_owned(),
        };
        let what = self.what();
        Err(Unapplied::Refused(format!("{what} exists and {owner}; rename one of them")))
    }

    /// Tells what the server will never have from what may work later.
    pub(crate) fn failure(&self, error: kube::Error) -> Unapplied {
        failure(self.what(), error)
    }
}

/// The same of `what`, an object by kind and name.
pub(crate) fn failure(what: String, error: kube::Error) -> Unapplied {
    match error {
        kube::Error::Api(status) if is_final(&status) => {
            Unapplied::Refused(format!("{what}: {}", status.message))
        }
        kube::Error::Api(status) if status.is_conflict() => Unapplied::Behind(what),
        source => Unapplied::Failed { what, source },
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

/// The object that the decisions in its successor were made by.
fn basis<'a>(kind: &str, observed: &'a Observed) -> Option<&'a ObjectMeta> {
    match kind {
        SET => observed.stateful_set.as_ref().map(|set| &set.metadata),
        CONFIG => observed.config_map.as_ref().map(|map| &map.metadata),
        _ => None,
    }
}

/// The object, to be applied over this very version of this very object. The version alone is not
/// enough: where the object is gone, the server would make one.
fn pinned<'a>(value: &'a Value, basis: Option<&ObjectMeta>) -> Cow<'a, Value> {
    let Some(basis) = basis else { return Cow::Borrowed(value) };
    let mut value = value.clone();
    value["metadata"]["uid"] = basis.uid.clone().into();
    value["metadata"]["resourceVersion"] = basis.resource_version.clone().into();
    Cow::Owned(value)
}

/// Changes whenever somebody changes the object, but not when a controller writes its status:
/// the generation where there is one, else the resourceVersion, and the metadata that is ours.
pub(crate) fn fingerprint(metadata: &ObjectMeta) -> u64 {
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

/// How the server knows this kind.
pub(crate) fn resource(kind: &str) -> Result<ApiResource, Unapplied> {
    Ok(match kind {
        SET => set_resource(),
        CONFIG => ApiResource::erase::<ConfigMap>(&()),
        "Service" => ApiResource::erase::<Service>(&()),
        "PodDisruptionBudget" => ApiResource::erase::<PodDisruptionBudget>(&()),
        "NetworkPolicy" => ApiResource::erase::<NetworkPolicy>(&()),
        other => return Err(Unapplied::Refused(format!("{other}: the operator makes none"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(generation: Option<i64>, version: &str) -> ObjectMeta {
        let resource_version = Some(version.to_owned());
        ObjectMeta { generation, resource_version, ..ObjectMeta::default() }
    }

    #[test]
    fn a_status_changes_no_fingerprint_but_everything_else_does() {
        let first = fingerprint(&metadata(Some(1), "7"));
        assert_eq!(first, fingerprint(&metadata(Some(1), "8")), "a status was written");
        assert_ne!(first, fingerprint(&metadata(Some(2), "8")));
        assert_ne!(fingerprint(&metadata(None, "7")), fingerprint(&metadata(None, "8")));
        let mut labelled = metadata(Some(1), "7");
        labelled.labels = Some([("a".to_owned(), "b".to_owned())].into());
        assert_ne!(first, fingerprint(&labelled));
    }

    #[test]
    fn an_object_of_another_queue_is_left_to_it() {
        let value = serde_json::json!({"kind": "Service", "metadata": {"name": "orders-pods"}});
        let observed = crate::plan::testing::World::new(1).observed;
        let service = Wanted::of(&value, &observed);
        let of = |queue: Option<&str>| {
            let label = queue.map(|queue| (labels::QUEUE.to_owned(), queue.to_owned()));
            let labels = label.map(|label| [label].into());
            let there = ObjectMeta { labels, ..ObjectMeta::default() };
            service.check_owner("orders-pods", &there).map_err(|refused| refused.to_string())
        };
        assert_eq!(of(Some("orders-pods")), Ok(()));
        let refused = of(Some("orders")).unwrap_err();
        assert!(refused.contains("Service orders-pods exists and belongs to the queue orders"));
        assert!(of(None).unwrap_err().contains("does not belong to this queue; rename"));
    }

    #[test]
    fn what_the_server_will_say_again_is_told_from_what_may_work_later() {
        let said = |code: u16, reason: &str, message: &str| Status {
            code,
            reason: reason.to_owned(),
            message: message.to_owned(),
            ..Status::default()
        };
        assert!(is_final(&said(422, "Invalid", "spec.template: no")));
        assert!(is_final(&said(403, "Forbidden", "quota")));
        assert!(is_final(&said(400, "BadRequest", "no JSON")));
        assert!(is_final(&said(500, "", ".spec.x: field not declared in schema")));
        assert!(!is_final(&said(500, "InternalError", "etcd has no leader")));
        assert!(!is_final(&said(429, "TooManyRequests", "later")));
    }
}
