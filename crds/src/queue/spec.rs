//! `spec`, as the operator reads it.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::quantity::Quantity;
use crate::queue::QueueStatus;

/// Durable ZeroMQ queues: each replica is a log of its own with the sockets around it, in the pods
/// of the application.
#[derive(Clone, Debug, CustomResource, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "PersistentQueue",
    namespaced,
    status = "QueueStatus",
    schema = "manual",
    shortname = "pq",
    category = "messaging",
    selectable = ".spec.suspend",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn = r#"{"name":"Ready", "type":"string", "jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Replicas", "type":"integer", "jsonPath":".status.acceptingReplicas"}"#,
    printcolumn = r#"{"name":"Desired", "type":"integer", "jsonPath":".spec.replicas"}"#,
    printcolumn = r#"{"name":"Depth", "type":"integer", "jsonPath":".status.backlog.messages"}"#,
    printcolumn = r#"{"name":"Oldest", "type":"date", "jsonPath":".status.backlog.oldestMessageTime"}"#,
    printcolumn = r#"{"name":"In/s", "type":"integer", "jsonPath":".status.rates.ingressPerSecond"}"#,
    printcolumn = r#"{"name":"Out/s", "type":"integer", "jsonPath":".status.rates.deliveredPerSecond"}"#,
    printcolumn = r#"{"name":"Age", "type":"date", "jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Bytes", "type":"integer", "jsonPath":".status.backlog.bytes", "priority":1}"#,
    printcolumn = r#"{"name":"DLQ", "type":"integer", "jsonPath":".status.backlog.deadLettered", "priority":1}"#,
    printcolumn = r#"{"name":"Used %", "type":"integer", "jsonPath":".status.storage.usedPercent", "priority":1}"#,
    printcolumn = r#"{"name":"Class", "type":"string", "jsonPath":".spec.storage.storageClassName", "priority":1}"#,
    printcolumn = r#"{"name":"Sidecar", "type":"string", "jsonPath":".status.sidecarImage", "priority":1}"#
)]
pub struct QueueSpec {
    /// Pods, each with a log of its own (shards, not copies): 0 to 128. Default 1. Leave it out
    /// when an autoscaler owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// No pods, without draining; claims and `replicas` stay. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// The logs of the queue, each with its sockets.
    #[schemars(with = "Vec<crate::resource::Stream>")]
    pub streams: Value,
    /// The volume of each replica.
    #[schemars(with = "Claim")]
    pub storage: Value,
    /// When a record counts as safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::resource::Durability>")]
    pub durability: Option<Value>,
    /// The application's pod template, as in a Deployment.
    pub template: Value,
    /// The containers of the template that get the sockets. Default: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<Vec<String>>,
    /// What happens to the backlog of a replica that is to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<ScaleDown>,
    /// How pods are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<UpdateStrategy>,
    /// The sidecar's container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<SidecarContainer>")]
    pub sidecar: Option<Value>,
    /// The Service that producers use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// Who may reach the queue's ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NetworkPolicy>,
    /// How many pods an eviction may take at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_disruption_budget: Option<PodDisruptionBudget>,
}

/// `spec.storage`: the claim of each replica.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The size of each replica's volume: a quantity string of at least 64Mi. It never shrinks.
    pub size: Quantity,
    /// The storage class of the claims. Default: the cluster's. It cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
    /// Default ReadWriteOnce. It cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_mode: Option<AccessMode>,
    /// The volume attributes class of the claims. A change is made on the claims that exist, by
    /// their driver; where it is removed they keep the one that they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_attributes_class_name: Option<String>,
    /// What happens to the claims when the queue is deleted. Default Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_deleted: Option<ClaimPolicy>,
    /// What happens to the claim of a replica that was drained and is gone. Default Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_scaled: Option<ClaimPolicy>,
}

/// How a volume may be mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessMode {
    /// By the pods of one node.
    #[default]
    ReadWriteOnce,
    /// By one pod: a fence against a second writer, where the driver has it.
    ReadWriteOncePod,
}

/// What happens to a claim that nobody uses any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClaimPolicy {
    /// It stays.
    #[default]
    Retain,
    /// It is deleted; after a scale-down only if it was proven drained.
    Delete,
}

/// What happens to the backlog of a replica that is to go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaleDown {
    /// Default Drain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<ScaleDownPolicy>,
    /// How long a drain may take: a duration of at least 1s. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// What happens then. Default Block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<OnTimeout>,
}

/// What happens to the backlog of a replica that is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScaleDownPolicy {
    /// It is delivered first; the pod goes when nothing is left.
    #[default]
    Drain,
    /// The pod goes at once, and its claim is listed as stranded.
    Retain,
    /// The replica stays.
    Forbid,
}

/// What happens when a drain takes too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnTimeout {
    /// The replica stays, and `Stalled` says so.
    #[default]
    Block,
    /// The pod goes, and its claim is listed as stranded.
    Retain,
}

/// How pods are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateStrategy {
    /// Default RollingUpdate.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<UpdateStrategyType>,
    /// With RollingUpdate only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolling_update: Option<RollingUpdate>,
}

/// How pods are replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UpdateStrategyType {
    /// One after the other, from the highest ordinal down.
    #[default]
    RollingUpdate,
    /// When somebody deletes them.
    OnDelete,
}

/// The steps of a rolling update.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollingUpdate {
    /// Pods with a lower ordinal stay as they are. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
}

/// `spec.sidecar`: the sidecar's container.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SidecarContainer {
    /// The image. Default: that of the operator's release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Whether a new operator brings a new image. Default Pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
    /// The memory that all streams together may use, also the container's limit: a quantity
    /// string of at least 32Mi. Default 96Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// The processor time that the container asks for. Default: what `resources` says of it, else
    /// 50m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Requests and limits, as in a container. Memory is `memory` whatever stands here, and where
    /// `cpu` is given, that is the processor time that the container asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Value>,
    /// Default info.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level: Option<String>,
    /// Further environment variables, as in a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<Value>>,
}

/// Whether a new operator brings a new image of the sidecar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Upgrade {
    /// The queue keeps the image that it has: a new operator restarts no pod.
    #[default]
    Pinned,
    /// The pods are replaced, one after the other.
    WithOperator,
}

/// The Service that producers use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Default ClusterIP.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<ServiceType>,
    /// Annotations of the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// A Service of its own for each replica besides. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_replica: Option<bool>,
}

/// Where a Service is reachable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// In the cluster.
    #[default]
    ClusterIP,
    /// On a port of every node.
    NodePort,
    /// Behind a load balancer.
    LoadBalancer,
}

/// Who may reach the queue's ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Who may reach the streams' ports besides the queue's namespace: NetworkPolicyPeer objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Vec<Value>>,
    /// Who may read metrics besides the queue's namespace and the operator: NetworkPolicyPeer
    /// objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_from: Option<Vec<Value>>,
}

/// How many pods an eviction may take at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodDisruptionBudget {
    /// Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<i32>,
}

impl QueueSpec {
    /// `spec.storage`, read.
    pub fn claim(&self) -> Result<Claim, serde_json::Error> {
        Claim::deserialize(&self.storage)
    }

    /// `spec.sidecar`, read; what is not written is `None`.
    pub fn sidecar_container(&self) -> Result<SidecarContainer, serde_json::Error> {
        self.sidecar
            .as_ref()
            .map_or_else(|| Ok(SidecarContainer::default()), SidecarContainer::deserialize)
    }
}
