//! What the operator knows of its own release.

/// What the operator knows of its own release and of where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The sidecar's image of this release, for queues that are not pinned to another.
    pub sidecar_image: String,
    /// The operator's version.
    pub version: String,
    /// The namespace that the operator runs in: from there it reads the sidecars' status.
    pub operator_namespace: String,
}

impl Release {
    /// This release.
    pub fn new(sidecar_image: impl Into<String>, operator_namespace: impl Into<String>) -> Self {
        Self {
            sidecar_image: sidecar_image.into(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            operator_namespace: operator_namespace.into(),
        }
    }
}
