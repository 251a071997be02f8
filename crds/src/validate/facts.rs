//! What a walk could read, kept for the rules that join several fields. A value that was a problem
//! by itself is absent here, so that it causes no second one.

use super::walk::Node;
use crate::endpoint::Endpoint;

/// What is known of the file.
#[derive(Default)]
pub(crate) struct Facts<'a> {
    pub(crate) storage_size: Option<u64>,
    pub(crate) streams: Vec<StreamFacts<'a>>,
}

/// What is known of one stream.
#[derive(Default)]
pub(crate) struct StreamFacts<'a> {
    pub(crate) path: String,
    pub(crate) name: Option<&'a str>,
    pub(crate) max_bytes: Written<u64>,
    pub(crate) policy: Written<&'a str>,
    /// The place of `onFull: Reject`, if that is written.
    pub(crate) rejects: Option<String>,
    /// Ingress first, then deliveries.
    pub(crate) sockets: Vec<SocketFacts<'a>>,
}

/// What is known of one ingress or delivery.
#[derive(Default)]
pub(crate) struct SocketFacts<'a> {
    pub(crate) path: String,
    pub(crate) name: Option<&'a str>,
    /// The ZeroMQ socket, where it is one of this version.
    pub(crate) socket: Option<&'a str>,
    pub(crate) bind: Option<Endpoint>,
    /// The path of a delivery's `from`, where the file has it.
    pub(crate) from: Option<String>,
    /// Deliveries take what the ingress let in and have none.
    pub(crate) max_message_size: Option<Written<u64>>,
}

/// A value that the file may leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Written<T> {
    /// Left out: the default holds.
    #[default]
    Absent,
    /// There, and good by itself.
    Good(T),
    /// There, and reported.
    Bad,
}

impl<T> Written<T> {
    /// Reads the field `node`, where the file has it; `read` reports what is wrong with it.
    pub(crate) fn of<'a>(
        node: Option<&Node<'a>>,
        read: impl FnOnce(&Node<'a>) -> Option<T>,
    ) -> Self {
        match node {
            None => Self::Absent,
            Some(node) => read(node).map_or(Self::Bad, Self::Good),
        }
    }
}
