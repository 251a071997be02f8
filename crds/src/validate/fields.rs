//! The fields of each part of the file and whose they are. A test holds the lists of the data
//! plane's parts and the types in `resource/` together.

use crate::features;

/// A field that a part of the file may have.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
}

/// What having a field means.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    /// It is looked at, or of no consequence.
    Known,
    /// It belongs to the operator; the data plane ignores it and says so.
    Operator,
    /// It belongs to the feature of that name.
    Feature(&'static str),
}

impl Role {
    /// Whether this version takes the field.
    pub(crate) fn is_supported(self) -> bool {
        match self {
            Self::Known | Self::Operator => true,
            Self::Feature(feature) => features::is_supported(feature),
        }
    }
}

const fn known(name: &'static str) -> Field {
    Field { name, role: Role::Known }
}

const fn operator(name: &'static str) -> Field {
    Field { name, role: Role::Operator }
}

const fn feature(name: &'static str, feature: &'static str) -> Field {
    Field { name, role: Role::Feature(feature) }
}

pub(crate) const DOCUMENT: &[Field] = &[
    known("apiVersion"),
    known("kind"),
    known("metadata"),
    known("spec"),
    known("status"),
    known("replicas"),
];

/// ObjectMeta of Kubernetes 1.34; all but the name is the server's or the operator's.
pub(crate) const METADATA: &[Field] = &[
    known("name"),
    known("namespace"),
    known("labels"),
    known("annotations"),
    known("creationTimestamp"),
    known("deletionGracePeriodSeconds"),
    known("deletionTimestamp"),
    known("finalizers"),
    known("generateName"),
    known("generation"),
    known("managedFields"),
    known("ownerReferences"),
    known("resourceVersion"),
    known("selfLink"),
    known("uid"),
];

pub(crate) const REPLICA: &[Field] = &[known("logId"), known("fenced"), known("drain")];

pub(crate) const SPEC: &[Field] = &[
    known("streams"),
    known("storage"),
    known("durability"),
    known("sidecar"),
    operator("containers"),
    operator("networkPolicy"),
    operator("podDisruptionBudget"),
    operator("replicas"),
    operator("scaleDown"),
    operator("service"),
    operator("suspend"),
    operator("template"),
    operator("updateStrategy"),
];

pub(crate) const STORAGE: &[Field] = &[
    known("size"),
    operator("accessMode"),
    operator("storageClassName"),
    operator("volumeAttributesClassName"),
    operator("whenDeleted"),
    operator("whenScaled"),
];

pub(crate) const DURABILITY: &[Field] =
    &[known("sync"), feature("interval", "durability.interval")];

pub(crate) const SIDECAR: &[Field] = &[
    known("memory"),
    operator("cpu"),
    operator("env"),
    operator("image"),
    operator("logLevel"),
    operator("resources"),
    operator("upgrade"),
];

pub(crate) const STREAM: &[Field] =
    &[known("name"), known("ingress"), known("deliveries"), known("retention")];

pub(crate) const INGRESS: &[Field] = &[
    known("name"),
    known("socket"),
    known("protocol"),
    known("bind"),
    known("maxMessageSize"),
    known("maxConnections"),
    feature("connect", "ingress.connect"),
    feature("topics", "ingress.topics"),
    feature("curve", "ingress.curve"),
    feature("filters", "ingress.filters"),
    feature("dedup", "ingress.dedup"),
    feature("routingId", "ingress.routingId"),
];

pub(crate) const DEDUP: &[Field] = &[known("window")];

pub(crate) const DELIVERY: &[Field] = &[
    known("name"),
    known("socket"),
    known("protocol"),
    known("bind"),
    known("maxConnections"),
    known("ackTimeout"),
    known("maxInFlight"),
    known("maxAttempts"),
    known("backoff"),
    known("trail"),
    feature("connect", "delivery.connect"),
    feature("from", "delivery.from"),
    feature("deadLetter", "delivery.deadLetter"),
    feature("curve", "delivery.curve"),
    feature("filters", "delivery.filters"),
    feature("routingId", "delivery.routingId"),
];

pub(crate) const TRAIL: &[Field] = &[known("messages"), known("time")];

pub(crate) const RETENTION: &[Field] = &[
    known("policy"),
    known("maxBytes"),
    known("onFull"),
    known("onDamage"),
    feature("maxAge", "retention.maxAge"),
    feature("maxMessages", "retention.maxMessages"),
    feature("key", "retention.key"),
    feature("frame", "retention.frame"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource;
    use schemars::{JsonSchema, schema_for};

    fn names<T: JsonSchema>() -> Vec<String> {
        let schema = schema_for!(T);
        let fields = schema.as_value()["properties"].as_object().unwrap();
        let mut names: Vec<_> = fields.keys().cloned().collect();
        names.sort();
        names
    }

    fn data_plane(fields: &[Field]) -> Vec<String> {
        let fields = fields.iter().filter(|field| !matches!(field.role, Role::Operator));
        let mut names: Vec<_> = fields.map(|field| field.name.to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_lists_name_the_fields_of_the_types() {
        assert_eq!(data_plane(SPEC), names::<resource::PersistentQueueSpec>());
        assert_eq!(data_plane(STORAGE), names::<resource::Storage>());
        assert_eq!(data_plane(DURABILITY), names::<resource::Durability>());
        assert_eq!(data_plane(SIDECAR), names::<resource::Sidecar>());
        assert_eq!(data_plane(STREAM), names::<resource::Stream>());
        assert_eq!(data_plane(INGRESS), names::<resource::Ingress>());
        assert_eq!(data_plane(DEDUP), names::<resource::Dedup>());
        assert_eq!(data_plane(DELIVERY), names::<resource::Delivery>());
        assert_eq!(data_plane(TRAIL), names::<resource::Trail>());
        assert_eq!(data_plane(RETENTION), names::<resource::Retention>());
    }

    #[cfg(feature = "kube")]
    #[test]
    fn the_lists_name_the_fields_that_a_cluster_keeps() {
        let all = |fields: &[Field]| {
            let mut names: Vec<_> = fields.iter().map(|field| field.name.to_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(all(SPEC), names::<crate::queue::QueueSpec>());
        assert_eq!(all(STORAGE), names::<crate::queue::Claim>());
        assert_eq!(all(SIDECAR), names::<crate::queue::SidecarContainer>());
    }
}
