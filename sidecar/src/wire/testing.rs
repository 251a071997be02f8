//! What tests of message forms share.

use lifeboat_zmtp::push_frame;

use super::envelope::{Client, Submission, split};

/// The wire bytes of a message with these frames.
pub(crate) fn message(frames: &[&[u8]]) -> Vec<u8> {
    let mut wire = Vec::new();
    for (at, body) in frames.iter().enumerate() {
        push_frame(&mut wire, at + 1 < frames.len(), body);
    }
    wire
}

/// The wire bytes of the envelope and the body of a client's message, if it has both.
pub(crate) fn parts(frames: &[&[u8]], client: Client) -> Option<(Vec<u8>, Vec<u8>)> {
    let wire = message(frames);
    match split(&wire, client, false) {
        Submission::Message { envelope, body } => {
            Some((wire[envelope].to_vec(), wire[body].to_vec()))
        }
        _ => None,
    }
}
