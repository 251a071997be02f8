//! What is looked after while a queue runs, and does not go by itself.

use std::sync::Arc;

use lifeboat_log::Fate;

use crate::node::Node;
use crate::stop::Stop;

/// Has the deliveries of one stream, by its place, get over what damage takes while they run.
pub(super) async fn holes(node: Arc<Node>, at: usize, mut stop: Stop) {
    let Some(stream) = node.streams.get(at) else { return };
    loop {
        let mended = stream.log.mended();
        stream.step_over_holes();
        tokio::select! {
            () = stop.ordered() => return,
            () = mended => {}
        }
    }
}

/// Says that the queue has failed when its writer has.
pub(super) async fn writer(node: Arc<Node>, ended: Arc<Fate<()>>) {
    if ended.wait().await.is_err() {
        node.state.change(|causes| causes.failed = true);
    }
}
