//! The streams fit the volume, and the messages fit the streams.

use crate::bounds::MESSAGES_PER_SHARE;
use crate::defaults::MAX_MESSAGE_SIZE;
use crate::quantity::format_bytes;
use crate::share::shares;
use crate::validate::facts::{Facts, StreamFacts, Written};
use crate::validate::walk::Walk;

/// Needs every size that a share depends on; where one is bad, nothing is said of the others.
pub(crate) fn check(walk: &mut Walk, facts: &Facts<'_>) {
    let Some(size) = facts.storage_size else { return };
    let max_bytes = facts.streams.iter().map(|stream| match stream.max_bytes {
        Written::Absent => Some(None),
        Written::Good(bytes) => Some(Some(bytes)),
        Written::Bad => None,
    });
    let Some(max_bytes) = max_bytes.collect::<Option<Vec<_>>>() else { return };
    let named = max_bytes.iter().flatten().fold(0_u64, |sum, bytes| sum.saturating_add(*bytes));
    if named > size {
        let message = format!(
            "the streams' retention.maxBytes add up to {}, more than storage.size {}; lower them \
             or raise it",
            format_bytes(named),
            format_bytes(size)
        );
        walk.problem("spec.streams", message);
        return;
    }
    for (stream, share) in facts.streams.iter().zip(shares(size, &max_bytes)) {
        messages(walk, stream, share);
    }
}

fn messages(walk: &mut Walk, stream: &StreamFacts<'_>, share: u64) {
    let most = share / MESSAGES_PER_SHARE;
    if most == 0 {
        let message = "the maxBytes of the other streams leave nothing of storage.size to this one; \
                       lower them, or raise it";
        walk.problem(&stream.path, message);
        return;
    }
    for socket in &stream.sockets {
        let (size, word) = match socket.max_message_size {
            Some(Written::Good(size)) => (size, ""),
            Some(Written::Absent) => (MAX_MESSAGE_SIZE, "the default "),
            Some(Written::Bad) | None => continue,
        };
        if size > most {
            let message = format!(
                "{word}{} is over a quarter of the stream's share of the volume, {}; expected at \
                 most {}, or give the stream more by retention.maxBytes or storage.size",
                format_bytes(size),
                format_bytes(share),
                format_bytes(most)
            );
            walk.problem(&format!("{}.maxMessageSize", socket.path), message);
        }
    }
}
