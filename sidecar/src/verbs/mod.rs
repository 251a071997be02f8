//! What each operator verb does in the running sidecar. The verbs and their arguments are in
//! [`crate::control::verb`]; nothing here knows of sockets or of the command line.

mod accept_gap;
mod find;
mod look;
mod quiesce;
mod redrive;
mod settle;

use std::sync::Arc;

use lifeboat_log::{JournalQueue, Refusal, Urgency};
use serde::Serialize;
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::control::{Call, Code, Verb, VerbError};
use crate::node::Node;

/// Does what was asked for.
///
/// # Errors
/// In words for people, with a code for machines.
pub async fn perform(verb: Verb, node: &Arc<Node>, call: &Call) -> Result<Value, VerbError> {
    match verb {
        Verb::Status => {
            let node = Arc::clone(node);
            result(&off_the_workers(move || node.status()).await?)
        }
        Verb::Peek(peek) => result(&look::peek(node, &peek, call).await?),
        Verb::Tail(tail) => result(&look::tail(node, &tail, call).await?),
        Verb::Redrive(redrive) => result(&redrive::redrive(node, &redrive, call).await?),
        Verb::Discard(discard) => result(&settle::discard(node, &discard).await?),
        Verb::AcceptGap(accept) => result(&accept_gap::accept_gap(node, &accept).await?),
        Verb::Quiesce => result(&quiesce::quiesce(node, call).await?),
        Verb::Purge(purge) => result(&settle::purge(node, &purge).await?),
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

/// Completes when all that was journaled so far is synced.
async fn durable(journal: &JournalQueue) -> Result<(), VerbError> {
    journal.submit([], Urgency::Now).wait().await.map_err(stopping)
}

/// The writer takes nothing more.
fn stopping(refusal: Refusal) -> VerbError {
    let why = match refusal {
        Refusal::Poisoned => "the disk failed",
        Refusal::Stopped => "the stream is stopped",
        Refusal::Closed => "the sidecar is stopping",
        Refusal::NoSpace => "there is no space",
    };
    VerbError::new(Code::Failed, format!("not done: {why}"))
}
