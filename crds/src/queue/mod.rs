//! The PersistentQueue as a type of the Kubernetes API: what the operator reads and writes.
//!
//! What the data plane reads (`spec.streams`, `spec.storage`, `spec.durability`, `spec.sidecar`)
//! stays raw JSON here, exactly as the user wrote it: the operator copies it into the sidecars'
//! configuration, and a typed round trip would add defaults and drop fields of newer versions.
//! Its schema is that of [`crate::resource`].

mod dataplane;
mod manifest;
mod schema;
mod spec;
mod status;

pub use manifest::manifest;
pub use spec::{
    AccessMode, Claim, ClaimPolicy, NetworkPolicy, OnTimeout, PersistentQueue, PodDisruptionBudget,
    QueueSpec, RollingUpdate, ScaleDown, ScaleDownPolicy, Service, ServiceType, SidecarContainer,
    UpdateStrategy, UpdateStrategyType, Upgrade,
};
pub use status::{
    Backlog, InstanceStatus, InstanceVolume, QueueStatus, Rates, ScaleDownStatus, StorageStatus,
    StrandedClaim,
};
