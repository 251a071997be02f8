//! Kubernetes for tests, on the machine that they run on.
//!
//! [`ControlPlane`] is etcd, the API server and the controller manager, as a release of Kubernetes
//! has them: what a test sees of validation, defaults, RBAC, admission, StatefulSets and garbage
//! collection is real. There is no node: [`FakeNode`] plays one, and [`FakeDisks`] plays its storage;
//! behind the pods there is nothing, or with [`Sidecars`] a real `lifeboat`.
//!
//! [`Node`] is a cluster with a real node, in a [`sandbox`] of its own; [`scenarios`] run on that or
//! on any other cluster, and count messages.
//!
//! The programs come from `e2e/build`. A test that needs them is marked
//! `#[ignore = "needs the control plane's binaries: e2e/build"]`; once asked for, it fails where
//! one of them is missing.
#![deny(unsafe_code)]

mod control_plane;
pub mod disks;
mod error;
mod fake_node;
pub mod images;
pub mod loopback;
mod node;
mod ports;
mod process;
pub mod sandbox;
pub mod scenarios;
mod sidecars;
mod storage_driver;
mod tool;
pub mod tools;
mod until;

pub use control_plane::ControlPlane;
pub use disks::FakeDisks;
pub use error::{Error, Result};
pub use fake_node::{FakeNode, Nothing, PodReport, Reporter, Workload};
pub use node::Node;
pub use sidecars::{Sidecars, lifeboat};
pub use until::until;
