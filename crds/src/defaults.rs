//! What a field is worth when the file does not name it. The CRD carries none of these: each also
//! stands in its field's description in `resource/`, and a test holds the two together.

use std::time::Duration;

/// `spec.sidecar.memory`, bytes.
pub(crate) const MEMORY: u64 = 96 << 20;
/// `maxMessageSize`, bytes.
pub(crate) const MAX_MESSAGE_SIZE: u64 = 4 << 20;
/// `maxConnections`.
pub(crate) const MAX_CONNECTIONS: u32 = 1_024;
/// `ackTimeout`.
pub(crate) const ACK_TIMEOUT: Duration = Duration::from_secs(30);
/// `maxInFlight`, records per connection.
pub(crate) const MAX_IN_FLIGHT: u32 = 64;
/// `maxAttempts`, failures.
pub(crate) const MAX_ATTEMPTS: u32 = 20;
/// `backoff`.
pub(crate) const BACKOFF: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];
/// `trail.messages`: libzmq's default ZMQ_RCVHWM.
pub(crate) const TRAIL_MESSAGES: u32 = 1_000;
/// `trail.time`.
pub(crate) const TRAIL_TIME: Duration = Duration::from_secs(60);
