//! What a message is known by. Pure.
//!
//! Both halves are the first 16 bytes of SHA-256. By accident two keys or digests are equal with a
//! probability of 2^-128 for each pair: less often than a disk returns wrong bytes under a right
//! checksum. On purpose it takes some 2^64 tries, and then a producer has only kept its own
//! messages, on its own ingress, from being stored.

use lifeboat_log::DedupId;
use lifeboat_zmtp::frames;
use sha2::{Digest, Sha256};

/// Ids have from 8 bytes, for the four of a REQ's request id tell nothing, ...
const SHORTEST: usize = 8;
/// ... to 64.
const LONGEST: usize = 64;

/// Within what an id means the same message: an ingress.
#[derive(Debug, Clone)]
pub struct Scope(Sha256);

impl Scope {
    /// The scope of the ingress of this name.
    pub fn new(ingress: &str) -> Self {
        let len = u8::try_from(ingress.len()).unwrap_or(u8::MAX);
        Self(Sha256::new().chain_update([len]).chain_update(ingress))
    }

    /// The id of a message with this envelope and body, both as wire frames; `None` when its
    /// envelope's first frame has another length than an id.
    pub fn id_of(&self, envelope: &[u8], body: &[u8]) -> Option<DedupId> {
        let id = frames(envelope).next()?.body;
        (SHORTEST..=LONGEST).contains(&id.len()).then(|| DedupId {
            key: half(self.0.clone().chain_update(id)),
            content: half(Sha256::new().chain_update(body)),
        })
    }
}

fn half(digest: Sha256) -> [u8; 16] {
    let digest = digest.finalize();
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use lifeboat_zmtp::push_frame;

    use super::*;

    fn id(scope: &str, id: &[u8], body: &[u8]) -> Option<DedupId> {
        let mut envelope = Vec::new();
        push_frame(&mut envelope, true, id);
        push_frame(&mut envelope, true, b"");
        Scope::new(scope).id_of(&envelope, body)
    }

    #[test]
    fn an_id_has_8_to_64_bytes() {
        for len in [0, 4, 7, 65, 300] {
            assert_eq!(id("in", &vec![1; len], b"x"), None, "{len}");
        }
        for len in [8, 9, 64] {
            assert!(id("in", &vec![1; len], b"x").is_some(), "{len}");
        }
        assert_eq!(Scope::new("in").id_of(b"", b"x"), None);
    }

    #[test]
    fn the_key_is_of_ingress_and_id_and_the_digest_of_the_content() {
        let one = id("in", b"12345678", b"x").unwrap();
        assert_eq!(id("in", b"12345678", b"x"), Some(one));
        let other = id("in", b"12345678", b"y").unwrap();
        assert!(other.key == one.key && other.content != one.content);
        let elsewhere = id("inn", b"12345678", b"x").unwrap();
        assert!(elsewhere.key != one.key && elsewhere.content == one.content);
        assert_ne!(id("i", b"n12345678", b"x").unwrap().key, one.key, "no shift between the two");
    }
}
