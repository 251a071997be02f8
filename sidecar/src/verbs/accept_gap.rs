//! `accept-gap`: a stream that damage has stopped goes on without what is lost.

use super::find;
use crate::control::verb::{AcceptGap, Price};
use crate::control::{Code, VerbError};
use crate::node::Node;

/// Mends what is known to be damaged, and says what that cost.
pub(super) async fn accept_gap(node: &Node, accept: &AcceptGap) -> Result<Price, VerbError> {
    let stream = &find::stream(node, &accept.stream)?;
    tracing::warn!(stream = stream.name, "an operator accepts the gap");
    let accepted = stream.accept_gap().await.map_err(|why| {
        VerbError::new(Code::Failed, format!("stream {} stays stopped: {why}", stream.name))
    })?;
    Ok(accepted.into())
}
