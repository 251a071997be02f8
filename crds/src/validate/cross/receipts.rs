//! `onFull: Reject` is an answer: somebody must be there to get it.

use crate::validate::facts::{Facts, StreamFacts};
use crate::validate::walk::Walk;

pub(super) fn check(walk: &mut Walk, facts: &Facts<'_>) {
    for stream in &facts.streams {
        if let Some(path) = stream.rejects.as_ref().filter(|_| nobody_is_answered(stream)) {
            let message = "no ingress of this stream gives receipts, so nobody can be refused; \
                           remove it, or use an ingress with socket ROUTER and protocol Receipt";
            walk.problem(path, message);
        }
    }
}

/// Whether every ingress is known, and none of them answers. Only ingress has a message size.
fn nobody_is_answered(stream: &StreamFacts<'_>) -> bool {
    let ingress = stream.sockets.iter().filter(|socket| socket.max_message_size.is_some());
    let mut sockets = ingress.map(|socket| socket.socket).peekable();
    sockets.peek().is_some() && sockets.all(|socket| socket.is_some_and(|it| it != "ROUTER"))
}
