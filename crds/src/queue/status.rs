//! `status`: what the operator tells about a queue. There is no phase; conditions say it all.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator tells about a queue. Times are points in time, never ages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueStatus {
    /// The generation of the spec that this tells about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Pods that exist.
    pub replicas: i32,
    /// Pods whose containers are all ready.
    pub ready_replicas: i32,
    /// Pods of the newest revision.
    pub updated_replicas: i32,
    /// Pods that take messages in and sync them.
    pub accepting_replicas: i32,
    /// The pods' label selector, for autoscalers.
    pub selector: String,
    /// The revision that the pods come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_revision: Option<String>,
    /// The newest revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_revision: Option<String>,
    /// The sidecar image that the queue is pinned to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecar_image: Option<String>,
    /// The version of the operator that wrote this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator_version: Option<String>,
    /// What is stored and not settled, over all replicas; unknown replicas are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<Backlog>,
    /// What goes in and out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
    /// The scale-down under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<ScaleDownStatus>,
    /// Claims of replicas that are gone, whose backlog nobody delivers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stranded_claims: Vec<StrandedClaim>,
    /// The claims: their sizes, and whether they go with the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageStatus>,
    /// Each replica, by ordinal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<InstanceStatus>,
    /// Ready, Accepting, Reconciling, Stalled, ScalingDown, StoragePressure, DataIntact,
    /// DurableVolume and DeliveryStuck.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// What is stored and not settled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Backlog {
    /// Records that a delivery has not settled.
    pub messages: i64,
    /// Their bytes.
    pub bytes: i64,
    /// Records that an application has and has not settled.
    pub in_flight: i64,
    /// Dead letters.
    pub dead_lettered: i64,
    /// When the oldest unsettled record was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_message_time: Option<Time>,
}

/// Messages a second, rounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rates {
    /// Stored.
    pub ingress_per_second: i64,
    /// Handed to applications.
    pub delivered_per_second: i64,
}

/// The scale-down under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaleDownStatus {
    /// The replicas that are wanted.
    pub target: i32,
    /// The replica that is going.
    pub ordinal: i32,
    /// Since when.
    pub started_at: Time,
    /// What it still holds, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_messages: Option<i64>,
    /// Their bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_bytes: Option<i64>,
}

/// A claim of a replica that is gone, whose backlog nobody delivers. Scaling up again does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StrandedClaim {
    /// The PersistentVolumeClaim.
    pub claim: String,
    /// The replica whose it is.
    pub ordinal: i32,
    /// What it held when the replica was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<i64>,
    /// Their bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<i64>,
    /// Since when.
    pub since: Time,
}

/// The claims: their sizes, and whether they go with the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageStatus {
    /// What the spec asks for.
    pub requested: String,
    /// The smallest volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest_capacity: Option<String>,
    /// How much of the fullest volume is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_percent: Option<i32>,
    /// Claims that are deleted with the queue. After `whenDeleted` has become `Retain` they go down
    /// to 0 in a moment; until then the queue is not to be deleted.
    pub owned_claims: i32,
}

/// One replica.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceStatus {
    /// Its number.
    pub ordinal: i32,
    /// Its pod.
    pub pod: String,
    /// The node that the pod is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The volume id that its volume must have; it is learnt when the volume is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_id: Option<String>,
    /// Whether it takes messages in.
    pub accepting: bool,
    /// Whether an application is connected.
    pub app_connected: bool,
    /// Whether it is being drained.
    pub draining: bool,
    /// Its backlog.
    #[serde(flatten)]
    pub backlog: Backlog,
    /// What goes in and out.
    #[serde(flatten)]
    pub rates: Rates,
    /// Hand-outs beyond the first, since the sidecar started.
    pub redelivered: i64,
    /// Its volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<InstanceVolume>,
    /// When its sidecar last answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Time>,
}

/// A replica's volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceVolume {
    /// Its size.
    pub capacity_bytes: i64,
    /// How much of it is used.
    pub used_percent: i32,
}
