//! The smallest and largest values that are accepted, each with its reason.
//! Defaults stand in `defaults.rs`.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Streams of a queue: each has a share of the memory and of the volume.
pub(crate) const STREAMS: RangeInclusive<usize> = 1..=8;
/// Ingress sockets of a stream.
pub(crate) const INGRESS: RangeInclusive<usize> = 1..=8;
/// Deliveries of a stream: each holds a cursor.
pub(crate) const DELIVERIES: RangeInclusive<usize> = 1..=16;
/// Endpoints of a `connect`: each is a connection.
pub(crate) const REMOTES: RangeInclusive<usize> = 1..=16;
/// Waits of a `backoff`; the last one repeats.
pub(crate) const BACKOFF: RangeInclusive<usize> = 1..=16;

/// Characters of a stream's, ingress' or delivery's name: two of them and a directory make a
/// socket path, which is short.
pub(crate) const NAME_LENGTH: usize = 32;
/// Characters of a queue's name: a StatefulSet adds its revision, a Service its suffix.
pub(crate) const QUEUE_NAME_LENGTH: usize = 45;

/// `storage.size`: 64 segments of the smallest size.
pub(crate) const STORAGE: RangeInclusive<u64> = 64 << 20..=i64::MAX.cast_unsigned();
/// `sidecar.memory`: below it the program itself does not fit.
pub(crate) const MEMORY: RangeInclusive<u64> = 32 << 20..=i64::MAX.cast_unsigned();
/// `maxMessageSize`: its top is also the hard cap on any message.
pub(crate) const MESSAGE_SIZE: RangeInclusive<u64> = 1..=64 << 20;
/// `maxBytes` of a stream.
pub(crate) const MAX_BYTES: RangeInclusive<u64> = 1..=i64::MAX.cast_unsigned();
/// A message this many times `maxMessageSize` closes its connection instead of being skipped.
pub(crate) const HARD_CAP_FACTOR: u64 = 4;
/// A message may take this part of its stream's share: one quarter.
pub(crate) const MESSAGES_PER_SHARE: u64 = 4;

/// `maxConnections`.
pub(crate) const CONNECTIONS: RangeInclusive<u64> = 1..=65_535;
/// `maxInFlight`, per connection.
pub(crate) const IN_FLIGHT: RangeInclusive<u64> = 1..=65_536;
/// `maxAttempts`.
pub(crate) const ATTEMPTS: RangeInclusive<u64> = 1..=1_000_000;
/// `trail.messages`: a shorter trail loses what a PULL with libzmq's default receive limit holds.
pub(crate) const TRAIL_MESSAGES: RangeInclusive<u64> = 1_000..=1_000_000;
/// Ordinals of replicas.
pub(crate) const ORDINALS: RangeInclusive<u32> = 0..=127;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// `ackTimeout`.
pub(crate) const ACK_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=DAY;
/// One wait of a `backoff`.
pub(crate) const BACKOFF_WAIT: RangeInclusive<Duration> = Duration::ZERO..=DAY;
/// `trail.time`.
pub(crate) const TRAIL_TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=DAY;
/// `durability.interval`: below it every record is about to be synced anyway, above it a power cut
/// costs a minute.
pub(crate) const SYNC_INTERVAL: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(60);
/// `maxAge`: less than a second is no age for what is kept by whole segments.
pub(crate) const MAX_AGE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// `maxMessages`.
pub(crate) const MAX_MESSAGES: RangeInclusive<u64> = 1..=i64::MAX.cast_unsigned();

/// `dedup.window`: below it a repeat hardly comes in time; every id takes space on the volume.
pub(crate) const DEDUP_WINDOW: RangeInclusive<Duration> = Duration::from_secs(1)..=DAY;

/// Ports below need a privilege that the sidecar does not have.
pub(crate) const FIRST_PORT: u16 = 1024;
