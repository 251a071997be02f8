//! Which sockets are open in which state. Pure.

use lifeboat_api::{Dataplane, Delivery, Endpoint, Ingress};

use super::sockets::SocketName;
use crate::reload::Side;
use crate::status::State;

/// Whether a socket is to be open. `local` says that only this machine can reach it.
pub(super) fn admits(state: State, side: Side, local: bool) -> bool {
    match (state, side) {
        (State::Fenced | State::Closed, _) => false,
        (State::Quiesced | State::Draining, Side::Ingress) => local,
        // What stops has an order of its own, and what failed hears it soon.
        (State::Quiesced | State::Draining, Side::Delivery)
        | (State::Open | State::Stopping | State::Failed, _) => true,
    }
}

/// Whether only processes on this machine can send to an ingress: it is bound, and to a file.
pub(super) fn is_local(ingress: &Ingress) -> bool {
    let bound = ingress.endpoint.as_ref();
    ingress.connect.is_empty() && bound.is_none_or(|at| matches!(at, Endpoint::Ipc(_)))
}

/// Every socket of `queue`, and whether it is to be open.
pub(super) fn sockets(queue: &Dataplane, state: State) -> Vec<(SocketName, bool)> {
    let mut sockets = Vec::new();
    for stream in &queue.streams {
        let ingress = |it: &Ingress| {
            let name = (Side::Ingress, stream.name.clone(), it.name.clone());
            (name, admits(state, Side::Ingress, is_local(it)))
        };
        let delivery = |it: &Delivery| {
            let name = (Side::Delivery, stream.name.clone(), it.name.clone());
            (name, admits(state, Side::Delivery, false))
        };
        sockets.extend(stream.ingress.iter().map(ingress));
        sockets.extend(stream.deliveries.iter().map(delivery));
    }
    sockets
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "
apiVersion: lifeboat.dev/v1alpha1
kind: PersistentQueue
metadata: {name: q}
spec:
  storage: {size: 1Gi}
  streams:
    - name: work
      ingress:
        - {name: tcp, socket: PULL, bind: 'tcp://*:5555'}
        - {name: far, socket: PULL, connect: ['tcp://feed.example:5555']}
        - {name: ipc, socket: PULL}
      deliveries:
        - {name: in, socket: PUSH}
        - {name: out, socket: PUSH, connect: ['tcp://sink.example:5555']}
";

    fn open(state: State) -> Vec<String> {
        let tree = lifeboat_api::parse(QUEUE).unwrap();
        let queue = lifeboat_api::validate_dataplane(&tree).unwrap();
        let sockets = sockets(&queue, state).into_iter().filter(|(_, open)| *open);
        sockets.map(|((.., name), _)| name).collect()
    }

    #[test]
    fn each_state_opens_what_it_says() {
        let all = ["tcp", "far", "ipc", "in", "out"];
        assert_eq!(open(State::Open), all);
        for state in [State::Quiesced, State::Draining] {
            assert_eq!(open(state), all[2..]);
        }
        for state in [State::Fenced, State::Closed] {
            assert_eq!(open(state), Vec::<String>::new());
        }
    }
}
