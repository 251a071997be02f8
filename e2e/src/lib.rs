//! Kubernetes for tests, on the machine that they run on.
//!
//! [`ControlPlane`] is etcd, the API server and the controller manager, as a release of Kubernetes
//! has them: what a test sees of validation, defaults, RBAC, admission, StatefulSets and garbage
//! collection is real. There is no kubelet: whoever needs pods that run plays one.
//!
//! The programs come from `e2e/build`. A test that needs them is marked
//! `#[ignore = "needs the control plane's binaries: e2e/build"]`; once asked for, it fails where
//! one of them is missing.
#![deny(unsafe_code)]

mod control_plane;
mod error;
mod ports;
mod process;
pub mod tools;
mod until;

pub use control_plane::ControlPlane;
pub use error::{Error, Result};
pub use until::until;
