//! What can be asked of a running sidecar, with the arguments of each verb.

use serde::{Deserialize, Serialize};

/// A verb with its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", content = "arguments", rename_all = "kebab-case")]
pub enum Verb {
    /// Where everything stands.
    Status,
}

impl Verb {
    /// The names of all verbs, as requests spell them.
    pub const NAMES: &[&str] = &["status"];
}
