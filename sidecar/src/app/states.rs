//! The sidecar's states at work: which sockets are open now. What the state is comes from
//! [`crate::node::Lifecycle`], what it permits from [`super::gate`].

use lifeboat_api::{Dataplane, Replica};
use lifeboat_log::VolumeId;

use super::reload::lock;
use super::sockets::SocketName;
use super::{PATIENCE, Sidecar, gate};
use crate::node::{Causes, StreamNode};
use crate::reload::Side;

/// What the file says of this replica.
pub(super) fn ours(queue: &Dataplane, ordinal: Option<u32>) -> Replica {
    ordinal.and_then(|ordinal| queue.replicas.get(&ordinal)).cloned().unwrap_or_default()
}

/// Has `causes` be what the file says of this replica, on this volume.
pub(super) fn heed(causes: &mut Causes, replica: &Replica, volume: VolumeId) {
    let expected = replica.log_id.clone().filter(|id| *id != volume.to_string());
    (causes.expected, causes.fenced, causes.draining) = (expected, replica.fenced, replica.drain);
}

impl Sidecar {
    /// Completes when an operator has ordered to quiesce: then [`Self::quiesce`] is due.
    pub async fn quiesce_ordered(&self) {
        self.node.quiesce.ordered().await;
    }

    /// Takes nothing more from outside until the process ends: what has arrived is read, handed to
    /// the log and answered, as far as that goes in a second or two. What is handed over may not be
    /// synced yet: see [`crate::node::Node::synced`].
    pub async fn quiesce(&mut self) {
        tracing::info!("quiesced by order: nothing is taken from outside any more");
        self.node.state.change(|causes| causes.quiesced = true);
        // Applications that leave from now on do so because the pod ends.
        self.intake.stop();
        self.shut().await;
        self.node.quiesce.closed();
    }

    /// Has the state be what `new` says of this replica, and closes what it forbids.
    pub(super) async fn heed(&mut self, new: &Dataplane) -> bool {
        let replica = ours(new, self.build.place.ordinal);
        let volume = self.node.volume;
        let change = |causes: &mut Causes| heed(causes, &replica, volume);
        let [before, after] = self.node.state.change(change);
        if before != after {
            tracing::warn!(?before, ?after, "the file changes the state");
        }
        self.shut().await;
        before != after
    }

    /// Closes the sockets that the state forbids, all at once.
    async fn shut(&mut self) {
        let sockets = gate::sockets(&self.current, self.node.state.get());
        let served = |name: &SocketName| self.sockets.serves(name);
        let names = sockets.into_iter().filter(|(name, open)| !open && served(name));
        let names: Vec<SocketName> = names.map(|(name, _)| name).collect();
        self.sockets.close(&names, PATIENCE).await;
        for (side, stream, socket) in &names {
            let Some(node) = self.node.streams.iter().find(|node| node.name == *stream) else {
                continue;
            };
            set_closed(node, *side, socket);
        }
    }

    /// Opens the sockets that the state permits and that are closed. Returns how many were opened,
    /// and why others were not.
    pub(super) async fn unshut(&mut self) -> (usize, Vec<String>) {
        let sockets = gate::sockets(&self.current, self.node.state.get());
        let (mut opened, mut problems) = (0, Vec::new());
        let queue = self.current.clone();
        for (name, _) in sockets.into_iter().filter(|(_, open)| *open) {
            if self.sockets.serves(&name) {
                continue;
            }
            match self.open(&queue, &name, false).await {
                Ok(()) => opened += 1,
                Err(problem) => problems.push(problem),
            }
        }
        (opened, problems)
    }
}

/// Has status say that a socket is not served.
fn set_closed(node: &StreamNode, side: Side, name: &str) {
    let mut ingress = lock(&node.ingress);
    let mut deliveries = lock(&node.deliveries);
    let socket = match side {
        Side::Ingress => ingress.iter_mut().map(|it| &mut it.socket).find(|it| it.name == name),
        Side::Delivery => deliveries.iter_mut().map(|it| &mut it.socket).find(|it| it.name == name),
    };
    if let Some(socket) = socket {
        socket.open = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::State;

    #[test]
    fn only_another_volume_than_the_expected_one_closes() {
        let volume = VolumeId([7; 16]);
        let state = |log_id: Option<String>| {
            let mut causes = Causes::default();
            heed(&mut causes, &Replica { log_id, ..Replica::default() }, volume);
            causes.state()
        };
        assert_eq!(state(None), State::Open);
        assert_eq!(state(Some(volume.to_string())), State::Open);
        assert_eq!(state(Some(VolumeId([8; 16]).to_string())), State::Closed);
    }

    #[test]
    fn what_the_file_says_no_more_is_over_and_a_quiesced_sidecar_stays_it() {
        let volume = VolumeId([7; 16]);
        let mut causes = Causes { quiesced: true, ..Causes::default() };
        let all = Replica { log_id: Some("0".repeat(32)), fenced: true, drain: true };
        heed(&mut causes, &all, volume);
        assert!(causes.expected.is_some() && causes.fenced && causes.draining);
        heed(&mut causes, &Replica::default(), volume);
        assert_eq!(causes, Causes { quiesced: true, ..Causes::default() });
    }
}
