//! An ingress as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::DurationText;
use crate::endpoint::Endpoint;
use crate::quantity::Quantity;
use crate::remote::Remote;

/// A socket that the sidecar opens towards producers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ingress {
    /// A DNS label of at most 32 characters, unique in the stream over ingress and deliveries.
    pub name: String,
    /// The ZeroMQ socket that the sidecar opens.
    pub socket: IngressSocket,
    /// What is spoken on a ROUTER socket. Required with ROUTER, absent otherwise.
    pub protocol: Option<IngressProtocol>,
    /// Where the socket is bound: `tcp://HOST:PORT` (`*` is every interface of a pod, and with
    /// `lifeboat run` what --host says, 127.0.0.1; port 0 or `*` picks one; ports below 1024 are
    /// refused) or `ipc://` and a path in the socket directory.
    /// Default: the file `<stream>.<name>` in the socket directory.
    pub bind: Option<Endpoint>,
    /// The endpoints that the socket connects to, instead of `bind`: 1 to 16, each
    /// `tcp://HOST:PORT` or `ipc://` and a path in the socket directory. PULL only.
    pub connect: Option<Vec<Remote>>,
    /// Planned, refused by this version. The prefixes that a SUB socket subscribes to: at most 64.
    /// Default: everything.
    pub topics: Option<Vec<String>>,
    /// The largest message, the sum of its frames: a quantity string of at most 64Mi and at most
    /// a quarter of the stream's share of the volume. Default 4Mi. A larger one ends the connection
    /// of a PUSH; REQ and DEALER are answered with 413, and over 4 times this (at most 64Mi) their
    /// connection is closed.
    pub max_message_size: Option<Quantity>,
    /// Connections at one time, 1 to 65535. Default 1024.
    pub max_connections: Option<u32>,
    /// Planned, refused by this version. Encrypted and authenticated by CurveZMQ, on tcp only.
    pub curve: Option<Curve>,
    /// Planned, refused by this version. Conditions that a message must meet to be stored.
    pub filters: Option<Vec<serde_json::Value>>,
    /// Store a message once however often a producer sends it. ROUTER with Receipt only.
    pub dedup: Option<Dedup>,
    /// Planned, refused by this version. The routing id that the socket gives to its peers.
    pub routing_id: Option<String>,
}

/// The ZeroMQ socket of an ingress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum IngressSocket {
    /// Producers are PUSH; they get no receipt.
    Pull,
    /// Planned, refused by this version. Producers are PUB; they get no receipt.
    Sub,
    /// Producers are REQ or DEALER; `protocol` says what they get.
    Router,
}

/// What is spoken on a ROUTER ingress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IngressProtocol {
    /// Each message is answered once it is stored and synced.
    Receipt,
    /// Planned, refused by this version. Each message is stored, then answered by the
    /// application's reply.
    Request,
    /// Planned, refused by this version. ZeroMQ RFC 7 and 18, and Titanic (RFC 9).
    Majordomo,
    /// Planned, refused by this version. The pzq client protocol.
    Pzq,
    /// Planned, refused by this version. The guide's Lazy, Simple and Paranoid Pirate.
    Pirate,
    /// Planned, refused by this version. ZeroMQ RFC 12.
    Clone,
    /// Planned, refused by this version. ZeroMQ RFC 10.
    Freelance,
}

/// CurveZMQ (ZeroMQ RFC 26) on a socket.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Curve {
    /// The Secret that holds the keys.
    pub secret_name: String,
}

/// Store a message once however often a producer sends it. Its id is the first frame of the
/// envelope that a DEALER puts before the empty frame, if it has 8 to 64 bytes; a message without
/// one is stored each time. A repeat is answered like the first copy, another content under the
/// same id with 409.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dedup {
    /// How long an id is remembered: 1s to 24h.
    pub window: DurationText,
}
