//! The plain PULL application: it reads, stays alive, and cannot say anything.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::actors::{Phase, Shared, receive, socket};
use super::message::Submission;

/// How long it waits for messages before it looks at what else there is to do.
const LOOK: Duration = Duration::from_millis(2);

/// Reads until the end of the run. What it got, in order; `None` for a damaged message.
pub(crate) fn run(
    context: &zmq::Context,
    endpoint: &str,
    shared: &Shared,
) -> Vec<Option<Submission>> {
    let socket = socket(context, zmq::PULL);
    // Little is read ahead while it sleeps, so that much waits in the queue when that is killed.
    socket.set_rcvhwm(10).unwrap();
    socket.connect(endpoint).unwrap();
    let (mut pulled, mut different) = (Vec::new(), BTreeSet::new());
    while !shared.is(Phase::Stop) {
        if shared.puller_sleeps.load(SeqCst) {
            std::thread::sleep(LOOK);
        } else if let Some(message) = receive(&socket, LOOK) {
            let submission = Submission::decode(&message);
            pulled.push(submission);
            different.extend(submission);
            shared.pulled.store(different.len() as u64, SeqCst);
        }
    }
    pulled
}
