//! Names, and what is made of them: socket paths and environment variables.
//! It must not look at a file system.

use std::path::{Path, PathBuf};

use crate::bounds::{NAME_LENGTH, QUEUE_NAME_LENGTH};

/// Bytes of a unix socket's path: `sun_path` is 108 with its closing zero (unix(7)).
pub const SOCKET_PATH_LIMIT: usize = 107;

/// The form of a stream's, ingress' or delivery's name, for messages.
pub(crate) const FORM: &str =
    "a DNS label of at most 32 characters: lower-case letters, digits and '-' inside";
/// The form of a queue's name, for messages.
pub(crate) const QUEUE_FORM: &str = "a DNS-1035 label of at most 45 characters: \
     lower-case letters, digits and '-' inside, starting with a letter";

/// The socket of an ingress or delivery that names no endpoint: `<dir>/<stream>.<name>`.
/// [`Dataplane::check_sockets`](crate::Dataplane::check_sockets) checks its length.
pub fn socket_path(dir: &Path, stream: &str, name: &str) -> PathBuf {
    dir.join(format!("{stream}.{name}"))
}

/// The variable that gives an application the endpoint: `LIFEBOAT_<STREAM>_<NAME>`.
pub fn variable_name(stream: &str, name: &str) -> String {
    format!("LIFEBOAT_{stream}_{name}").to_ascii_uppercase().replace('-', "_")
}

/// Whether `text` is a DNS label (RFC 1123) short enough for a socket path.
pub(crate) fn is_label(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let edge = |b: Option<&u8>| b.is_some_and(|b| *b != b'-');
    let bytes = text.as_bytes();
    bytes.len() <= NAME_LENGTH
        && bytes.iter().copied().all(inside)
        && edge(bytes.first())
        && edge(bytes.last())
}

/// Whether `text` is a DNS-1035 label short enough for what Kubernetes appends to it.
pub(crate) fn is_queue_name(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.len() <= QUEUE_NAME_LENGTH
        && text.bytes().all(inside)
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        for good in ["a", "0", "a-b", "work-2", &"x".repeat(32)] {
            assert!(is_label(good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "ä", &"x".repeat(33)] {
            assert!(!is_label(bad), "{bad}");
        }
    }

    #[test]
    fn queue_names() {
        for good in ["a", "orders", "a-1", &"x".repeat(45)] {
            assert!(is_queue_name(good), "{good}");
        }
        for bad in ["", "1a", "-a", "a-", "A", "a.b", &"x".repeat(46)] {
            assert!(!is_queue_name(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_made_of_names() {
        assert_eq!(
            socket_path(Path::new("/run/lifeboat"), "work", "a-b"),
            PathBuf::from("/run/lifeboat/work.a-b")
        );
        assert_eq!(variable_name("work", "a-b"), "LIFEBOAT_WORK_A_B");
        assert_eq!(variable_name("a-b", "c"), variable_name("a", "b-c"));
    }
}
