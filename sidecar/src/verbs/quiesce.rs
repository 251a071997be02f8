//! `quiesce`: nothing more from outside, and what was taken is safe.

use std::sync::Arc;

use tokio::select;

use super::{off_the_workers, stopping};
use crate::control::verb::Quiesced;
use crate::control::{Call, Code, VerbError};
use crate::node::Node;

/// Has the sockets closed that take from outside, and answers once all that they took is synced.
/// Whoever asks again is answered alike.
pub(super) async fn quiesce(node: &Arc<Node>, call: &Call) -> Result<Quiesced, VerbError> {
    let work = async {
        node.quiesce.order().await;
        node.synced().await.map_err(stopping)
    };
    select! {
        outcome = work => outcome?,
        () = call.over() => {
            return Err(VerbError::new(Code::Failed, "not waited for: the sidecar is stopping"));
        }
    }
    let state = node.state.get();
    let node = Arc::clone(node);
    let depth = off_the_workers(move || node.status().totals.depth).await?;
    Ok(Quiesced { state, depth })
}
