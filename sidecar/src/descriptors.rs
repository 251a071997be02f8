//! The process's limit on file descriptors: raised as far as it may be.
//!
//! The soft limit is 1,024 nearly everywhere, for the sake of programs that use select(2), and one
//! socket of a queue alone may have as many connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Where that is refused the limit stays as it is: accepting
/// waits for descriptors when they run out.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, ?current, "cannot raise the limit on file descriptors");
    }
}
