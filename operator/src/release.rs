//! What the operator knows of its own release.

use std::collections::BTreeSet;

/// What the operator knows of its own release and of where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The sidecar's image of this release, for queues that are not pinned to another.
    pub sidecar_image: String,
    /// The operator's version.
    pub version: String,
    /// What the sidecar of this release supports, by name.
    pub features: BTreeSet<String>,
    /// The namespace that the operator runs in: from there it reads the sidecars' status.
    pub operator_namespace: String,
}

impl Release {
    /// This release.
    pub fn new(sidecar_image: impl Into<String>, operator_namespace: impl Into<String>) -> Self {
        let features = lifeboat_api::supported_features().iter().map(|name| (*name).to_owned());
        Self {
            sidecar_image: sidecar_image.into(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            features: features.collect(),
            operator_namespace: operator_namespace.into(),
        }
    }
}
