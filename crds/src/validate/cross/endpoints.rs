//! No two sockets are bound to the same endpoint.

use crate::endpoint::Endpoint;
use crate::validate::facts::{Facts, SocketFacts};
use crate::validate::walk::Walk;

pub(crate) fn check(walk: &mut Walk, facts: &Facts<'_>) {
    let mut earlier: Vec<(&SocketFacts<'_>, &Endpoint)> = Vec::new();
    for socket in facts.streams.iter().flat_map(|stream| &stream.sockets) {
        let Some(bind) = &socket.bind else { continue };
        if let Some((other, theirs)) = earlier.iter().find(|(_, theirs)| collide(bind, theirs)) {
            let message = format!(
                "{bind} collides with {theirs} of {}.bind; choose another {}",
                other.path,
                if matches!(bind, Endpoint::Tcp(_)) { "port" } else { "path" }
            );
            walk.problem(&format!("{}.bind", socket.path), message);
        }
        earlier.push((socket, bind));
    }
}

fn collide(a: &Endpoint, b: &Endpoint) -> bool {
    match (a, b) {
        (Endpoint::Tcp(a), Endpoint::Tcp(b)) => a.collides(b),
        (a, b) => a == b,
    }
}
