//! What the data plane runs by: a queue with every default applied and every unit resolved.
//! It must not hold anything that this version does not do; what was written is in `resource`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::bounds::{HARD_CAP_FACTOR, MESSAGE_SIZE};
use crate::endpoint::Endpoint;
use crate::names::socket_path;
use crate::remote::Remote;
use crate::share;
use crate::start::Start;

/// A queue, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataplane {
    /// The queue's name.
    pub name: String,
    /// `storage.size` in bytes: the claim, and the quota when run standalone.
    pub storage_size: u64,
    /// `sidecar.memory` in bytes: what all streams together may use.
    pub memory: u64,
    /// When a record counts as safe.
    pub sync: Sync,
    /// The streams, in the file's order.
    pub streams: Vec<Stream>,
    /// What the operator says about each replica, by ordinal; empty standalone.
    pub replicas: BTreeMap<u32, Replica>,
    /// The fields of the file that only the operator heeds, such as `spec.replicas`.
    pub ignored: Vec<String>,
}

/// When a record counts as safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// After fdatasync, shared by all records that wait for it (group commit).
    Always,
    /// Once it is written; synced this much later at most. A power cut costs what was not.
    Interval(Duration),
    /// Once it is written; synced when the system sees fit.
    None,
}

/// One log with its sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name, unique in the queue.
    pub name: String,
    /// The sockets that producers use.
    pub ingress: Vec<Ingress>,
    /// The sockets that applications use, each with a cursor.
    pub deliveries: Vec<Delivery>,
    /// What is kept, and what happens when there is no room or the log is damaged.
    pub retention: Retention,
}

/// A socket towards producers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// Its name, unique in the stream over ingress and deliveries.
    pub name: String,
    /// The socket and what is spoken on it.
    pub kind: IngressKind,
    /// Where it is bound; `None` is the default socket, see [`Ingress::endpoint_in`].
    pub endpoint: Option<Endpoint>,
    /// Where it connects to instead; empty where it is bound.
    pub connect: Vec<Remote>,
    /// What is accepted.
    pub limits: Limits,
    /// How long the ids of messages are remembered, so that a repeat is not stored again; `None`
    /// when ids mean nothing.
    pub dedup_window: Option<Duration>,
}

/// What an ingress speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngressKind {
    /// PULL: producers are PUSH and get no receipt.
    Pull,
    /// ROUTER with Receipt: producers are REQ or DEALER and get a receipt for each message.
    Receipt,
}

/// What an ingress accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest message: the sum of its frames, in bytes.
    pub max_message_size: u64,
    /// Connections at one time.
    pub max_connections: u32,
}

/// A socket towards applications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its name, unique in the stream over ingress and deliveries.
    pub name: String,
    /// The socket and what is spoken on it.
    pub kind: DeliveryKind,
    /// Where it is bound; `None` is the default socket, see [`Delivery::endpoint_in`].
    pub endpoint: Option<Endpoint>,
    /// Where it connects to instead; empty where it is bound.
    pub connect: Vec<Remote>,
    /// Connections at one time.
    pub max_connections: u32,
    /// Where it starts when it is new; `None`, in a WorkQueue, is all that is still held.
    pub from: Option<Start>,
}

/// What a delivery speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryKind {
    /// PUSH: applications are PULL and cannot acknowledge.
    Push(Trail),
    /// ROUTER with Credit: applications are DEALER or REQ and settle each record.
    Credit(Credit),
    /// DEALER: applications are REP, and their reply settles the record.
    Rep(Rep),
}

/// How long records that a PULL application has taken are still redelivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trail {
    /// Records taken after one before it is settled.
    pub messages: u32,
    /// Time connected after which a taken record is settled all the same.
    pub time: Duration,
}

/// The rules of a Credit delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    /// How long a lease lasts.
    pub ack_timeout: Duration,
    /// Records in flight on one connection.
    pub max_in_flight: u32,
    /// Failures after which a record is parked as a dead letter.
    pub max_attempts: u32,
    /// Waits before redelivery, by failure; at least one, the last repeats.
    pub backoff: Vec<Duration>,
}

/// The rules of a delivery to REP applications, each of which has one record at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rep {
    /// How long a reply may take.
    pub ack_timeout: Duration,
    /// Failures after which a record is parked as a dead letter.
    pub max_attempts: u32,
    /// Waits before redelivery, by failure; at least one, the last repeats.
    pub backoff: Vec<Duration>,
}

/// What a stream keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// What is kept.
    pub policy: Policy,
    /// The age at which records expire.
    pub max_age: Option<Duration>,
    /// The number of records kept; under Limits only.
    pub max_messages: Option<u64>,
    /// The stream's part of the volume in bytes; `None` is an equal part of what the others leave.
    pub max_bytes: Option<u64>,
    /// What happens to producers when there is no room.
    pub on_full: OnFull,
    /// What happens when the log is damaged before its tail.
    pub on_damage: OnDamage,
}

/// What a stream keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Records until every delivery has settled them.
    WorkQueue,
    /// Records within limits, settled or not.
    Limits,
}

/// What happens to producers when there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// Reading stops until there is room.
    Block,
    /// The oldest segment goes.
    DropOldest,
    /// Producers with receipts are answered 503 at once; the others as with `Block`.
    Reject,
}

/// What happens when a log is damaged before its tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDamage {
    /// The stream stops until `lifeboat accept-gap`.
    Stop,
    /// The stream goes on behind the gap, which is reported.
    SkipWithGap,
}

/// What the operator says about one replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replica {
    /// The volume id that is expected, 32 hex digits; `None` when any will do.
    pub log_id: Option<String>,
    /// Neither ingress nor delivery.
    pub fenced: bool,
    /// No ingress from outside the pod; deliveries go on.
    pub drain: bool,
}

impl Dataplane {
    /// Bytes of a volume of `quota` bytes for each stream, in order. `quota` is the smaller of
    /// `storage_size` and the file system's total; where that is less than `storage_size`, every
    /// stream's share shrinks in proportion.
    pub fn shares(&self, quota: u64) -> Vec<u64> {
        let max_bytes: Vec<_> = self.streams.iter().map(|s| s.retention.max_bytes).collect();
        let planned = share::shares(self.storage_size, &max_bytes);
        if quota >= self.storage_size {
            return planned;
        }
        let size = u128::from(self.storage_size).max(1);
        let scaled = |share| u64::try_from(u128::from(share) * u128::from(quota) / size);
        planned.into_iter().map(|share| scaled(share).unwrap_or(u64::MAX)).collect()
    }
}

impl Limits {
    /// A message over this many bytes closes its connection; between `max_message_size` and this
    /// it is skipped unbuffered, and answered 413 where there are receipts.
    pub fn hard_cap(&self) -> u64 {
        self.max_message_size.saturating_mul(HARD_CAP_FACTOR).min(*MESSAGE_SIZE.end())
    }
}

impl Stream {
    /// How long any of its ingresses remembers ids; `None` when none does.
    pub fn dedup_window(&self) -> Option<Duration> {
        self.ingress.iter().filter_map(|ingress| ingress.dedup_window).max()
    }
}

impl Ingress {
    /// Where the ingress of `stream` is bound, given the socket directory.
    pub fn endpoint_in(&self, dir: &Path, stream: &str) -> Endpoint {
        endpoint_in(self.endpoint.as_ref(), dir, stream, &self.name)
    }
}

impl Delivery {
    /// Where the delivery of `stream` is bound, given the socket directory.
    pub fn endpoint_in(&self, dir: &Path, stream: &str) -> Endpoint {
        endpoint_in(self.endpoint.as_ref(), dir, stream, &self.name)
    }
}

fn endpoint_in(given: Option<&Endpoint>, dir: &Path, stream: &str, name: &str) -> Endpoint {
    given.cloned().unwrap_or_else(|| Endpoint::Ipc(socket_path(dir, stream, name)))
}
