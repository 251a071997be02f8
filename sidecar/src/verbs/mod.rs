//! What each operator verb does in the running sidecar. The verbs and their arguments are in
//! [`crate::control::verb`]; nothing here knows of sockets or of the command line.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::control::{Call, Code, Verb, VerbError};
use crate::node::Node;

/// Does what was asked for.
///
/// # Errors
/// In words for people, with a code for machines.
pub async fn perform(verb: Verb, node: &Arc<Node>, _call: &Call) -> Result<Value, VerbError> {
    match verb {
        Verb::Status => {
            let node = Arc::clone(node);
            result(&off_the_workers(move || node.status()).await?)
        }
    }
}

fn result(result: &impl Serialize) -> Result<Value, VerbError> {
    serde_json::to_value(result).map_err(|error| VerbError::new(Code::Failed, error))
}

/// Does what may wait for the disk.
async fn off_the_workers<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, VerbError> {
    spawn_blocking(work).await.map_err(|error| VerbError::new(Code::Failed, error))
}
