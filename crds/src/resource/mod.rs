//! The PersistentQueue as it is written: names, types and descriptions of its fields.
//!
//! The descriptions become those of the CRD. There, nothing below `spec.streams`, `spec.storage`,
//! `spec.durability` and `spec.sidecar.memory` has a schema default: what a user did not write
//! stays unwritten, so that a sidecar applies the defaults of its own version. They are therefore
//! told in words here and applied in `resolve.rs`.
//!
//! The types hold planned fields too, so that a cluster keeps them and the validator can refuse them
//! by name; which of them this version does is told by `features.rs` alone. They must not check
//! more than the form of a value.

mod delivery;
mod ingress;
mod retention;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use delivery::{Delivery, DeliveryProtocol, DeliverySocket, Trail};
pub use ingress::{Curve, Dedup, Ingress, IngressProtocol, IngressSocket};
pub use retention::{OnDamage, OnFull, Policy, Retention};

use crate::duration::DurationText;
use crate::quantity::Quantity;

/// A file: a PersistentQueue, with what the operator adds for the pods of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Whose queue it is.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: PersistentQueueSpec,
    /// What holds for each replica, by ordinal. In pods only.
    pub replicas: Option<BTreeMap<u32, Replica>>,
}

/// The part of a resource's metadata that the data plane reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Metadata {
    /// The queue's name: a DNS-1035 label of at most 45 characters.
    pub name: String,
}

/// What the operator says about one replica.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replica {
    /// The volume id that the replica must find: 32 hex digits. None: any.
    pub log_id: Option<String>,
    /// Neither ingress nor delivery. Default false.
    pub fenced: Option<bool>,
    /// Take in nothing from outside the pod, go on delivering. Default false.
    pub drain: Option<bool>,
}

/// The part of a queue's spec that the data plane reads.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersistentQueueSpec {
    /// The logs of the queue, each with its sockets: 1 to 8, each name once.
    pub streams: Vec<Stream>,
    /// The volume.
    pub storage: Storage,
    /// When a record counts as safe.
    pub durability: Option<Durability>,
    /// The sidecar's container.
    pub sidecar: Option<Sidecar>,
}

/// One log with its sockets.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stream {
    /// A DNS label of at most 32 characters, unique in the queue. It is part of socket paths and
    /// variable names.
    pub name: String,
    /// The sockets that the sidecar opens towards producers: 1 to 8.
    pub ingress: Vec<Ingress>,
    /// The sockets that applications connect to, each with its own durable cursor: 1 to 16.
    pub deliveries: Vec<Delivery>,
    /// What is kept, and what happens when there is no room or the log is damaged.
    pub retention: Option<Retention>,
}

/// The volume.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// The size of each replica's volume, also the quota when run standalone: a quantity string
    /// of at least 64Mi. It never shrinks.
    pub size: Quantity,
}

/// When a record counts as safe.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Durability {
    /// When records are synced to the volume. Default Always.
    pub sync: Option<Sync>,
    /// The time between two syncs, 10ms to 1m; with Interval only, and required there.
    pub interval: Option<DurationText>,
}

/// When records are synced to the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Sync {
    /// Before a record is handed on or receipted; waiting records share one sync.
    Always,
    /// At a fixed interval: records are receipted and handed on before, and a power cut loses what
    /// came in since the last sync.
    Interval,
    /// When the system sees fit: records are receipted and handed on before, and a power cut loses
    /// what it had not written.
    None,
}

/// The sidecar's container, as far as it is the data plane's.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sidecar {
    /// The memory that all streams together may use, also the container's limit: a quantity
    /// string of at least 32Mi. Default 96Mi.
    pub memory: Option<Quantity>,
}
