//! The PersistentQueue resource: its types and the one validation that all of Lifeboat shares.
//!
//! The way of a file: [`parse`] makes a tree of the YAML, [`validate_dataplane`] walks the tree
//! and reports every problem with its field path, and only a clean tree is read into the
//! [`resource`] types (as written) and resolved into a [`Dataplane`] (defaults applied).
//! [`Dataplane::check_sockets`] is the second step, for what is known only where the queue runs.
//!
//! With the feature `kube`, the module `queue` is the same resource as Kubernetes' API has it, and its
//! CustomResourceDefinition; nothing else here may know that API.
//!
//! This crate must not repair what a user wrote, or open sockets or files.
#![forbid(unsafe_code)]
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod bounds;
mod dataplane;
mod defaults;
mod duration;
mod endpoint;
mod features;
mod malformed;
mod names;
mod problem;
mod quantity;
#[cfg(feature = "kube")]
pub mod queue;
mod remote;
mod resolve;
pub mod resource;
mod share;
mod sockets;
mod start;
mod text;
mod validate;
mod yaml;

pub use dataplane::{
    Credit, Dataplane, Delivery, DeliveryKind, Ingress, IngressKind, Limits, OnDamage, OnFull,
    Policy, Rep, Replica, Retention, Stream, Sync, Trail,
};
pub use duration::DurationText;
pub use endpoint::{Endpoint, Host, TcpEndpoint};
pub use features::supported_features;
pub use malformed::Malformed;
pub use names::{SOCKET_PATH_LIMIT, socket_path, variable_name};
pub use problem::{Problem, Problems};
pub use quantity::{Quantity, format_bytes};
pub use remote::Remote;
pub use start::{Start, StartText};
pub use validate::{features_in_use, validate_dataplane};
pub use yaml::{MAX_FILE_SIZE, parse};

/// The API version that every PersistentQueue carries.
pub const API_VERSION: &str = "lifeboat.dev/v1alpha1";
/// The kind that every PersistentQueue carries.
pub const KIND: &str = "PersistentQueue";
