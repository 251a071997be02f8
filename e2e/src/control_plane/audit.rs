//! What the API server is to note: who has written what. Reads are too many to be of use.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::run_directory::RunDirectory;
use crate::error::{Error, Result};

/// Writes the policy; answers its file.
pub(super) fn policy(run: &RunDirectory) -> Result<PathBuf> {
    let path = run.file("audit-policy.yaml");
    let writes = ["create", "update", "patch", "delete", "deletecollection"];
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [{"level": "Metadata", "verbs": writes}, {"level": "None"}],
    });
    fs::write(&path, policy.to_string()).map_err(Error::io("writing the audit policy"))?;
    Ok(path)
}

/// Where it is noted: one JSON a line.
pub(super) fn log(run: &RunDirectory) -> PathBuf {
    run.logs().join("audit.log")
}
