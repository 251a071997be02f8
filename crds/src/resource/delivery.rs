//! A delivery as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ingress::Curve;
use crate::duration::DurationText;
use crate::endpoint::Endpoint;
use crate::remote::Remote;
use crate::start::StartText;

/// A socket that applications connect to, with its own durable cursor.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// A DNS label of at most 32 characters, unique in the stream over ingress and deliveries.
    pub name: String,
    /// The ZeroMQ socket that the sidecar opens.
    pub socket: DeliverySocket,
    /// What is spoken on a ROUTER socket: Credit. Required with ROUTER, absent otherwise.
    pub protocol: Option<DeliveryProtocol>,
    /// Where the socket is bound: `tcp://HOST:PORT` (`*` is every interface of a pod, and with
    /// `lifeboat run` what --host says, 127.0.0.1; port 0 or `*` picks one; ports below 1024 are
    /// refused) or `ipc://` and a path in the socket directory.
    /// Default: the file `<stream>.<name>` in the socket directory.
    pub bind: Option<Endpoint>,
    /// The endpoints that the socket connects to, instead of `bind`: 1 to 16, each
    /// `tcp://HOST:PORT` or `ipc://` and a path in the socket directory. PUSH only.
    pub connect: Option<Vec<Remote>>,
    /// Connections at one time, 1 to 65535. Default 1024.
    pub max_connections: Option<u32>,
    /// How long a record is leased to the application before it is due again: 10ms to 24h. With
    /// DEALER, how long its reply may take. Default 30s. Not with PUSH.
    pub ack_timeout: Option<DurationText>,
    /// Records in flight on one connection, 1 to 65536. Default 64. ROUTER only: a REP application
    /// has one at a time.
    pub max_in_flight: Option<u32>,
    /// Failures after which a record becomes a dead letter, 1 to 1000000. Default 20. Not with
    /// PUSH.
    pub max_attempts: Option<u32>,
    /// The wait before a record is due again after each failure, 1 to 16 durations of at most 24h;
    /// the last one repeats. Default 1s, 10s, 1m. Not with PUSH.
    pub backoff: Option<Vec<DurationText>>,
    /// How long records that a PULL application has taken are still redelivered. PUSH only.
    pub trail: Option<Trail>,
    /// Where a new cursor starts: First, Last, New, a seq such as "1200", or a time in UTC such as
    /// "2026-01-31T08:00:00Z"; what is not kept any more is passed over. Under Limits only. Default
    /// First.
    pub from: Option<StartText>,
    /// Planned, refused by this version. Whether exhausted records are kept as dead letters.
    pub dead_letter: Option<bool>,
    /// Planned, refused by this version. Encrypted and authenticated by CurveZMQ, on tcp only.
    pub curve: Option<Curve>,
    /// Planned, refused by this version. Conditions that a record must meet to be delivered here.
    pub filters: Option<Vec<serde_json::Value>>,
    /// Planned, refused by this version. The routing id that the socket gives to its peers.
    pub routing_id: Option<String>,
}

/// The ZeroMQ socket of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeliverySocket {
    /// Applications are PULL; they cannot acknowledge.
    Push,
    /// Planned, refused by this version. Applications are SUB, observers without a cursor.
    Pub,
    /// Applications are REP; their reply is the ack, unless its first frame is NACK or REJECT.
    Dealer,
    /// Applications are DEALER or REQ; `protocol` says how they acknowledge.
    Router,
}

/// What is spoken on a ROUTER or DEALER delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeliveryProtocol {
    /// The application grants credit and settles each record.
    Credit,
    /// Planned, refused by this version. ZeroMQ RFC 7 and 18: applications are workers.
    Majordomo,
    /// Planned, refused by this version. The guide's Simple and Paranoid Pirate: applications are
    /// workers.
    Pirate,
    /// Planned, refused by this version. The pzq consumer protocol, on DEALER.
    Pzq,
}

/// How long records that a PULL application has taken are still redelivered when it goes away.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trail {
    /// Records taken after one before it is settled, 1000 to 1000000. Default 1000, which is what
    /// libzmq's PULL holds (ZMQ_RCVHWM); set it to the application's ZMQ_RCVHWM where that is
    /// higher. Less is refused: it would lose what a default PULL had prefetched.
    pub messages: Option<u32>,
    /// Time connected after which a taken record is settled all the same: 1s to 24h. Default 1m.
    pub time: Option<DurationText>,
}
