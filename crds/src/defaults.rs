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

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, schema_for};

    use super::*;
    use crate::duration::format_duration;
    use crate::quantity::format_bytes;
    use crate::resource::{Delivery, Ingress, Sidecar, Trail};

    /// Whether the description of a field of `T` tells the default.
    fn tells<T: JsonSchema>(field: &str, default: &str) {
        let schema = schema_for!(T);
        let text = schema.as_value()["properties"][field]["description"].as_str().unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (told, rest) = (format!("Default {default}"), [".", ","]);
        assert!(rest.iter().any(|end| text.contains(&format!("{told}{end}"))), "{field}: {text}");
    }

    #[test]
    fn the_descriptions_tell_the_defaults() {
        let backoff = BACKOFF.map(format_duration).join(", ");
        tells::<Sidecar>("memory", &format_bytes(MEMORY));
        tells::<Ingress>("maxMessageSize", &format_bytes(MAX_MESSAGE_SIZE));
        tells::<Ingress>("maxConnections", &MAX_CONNECTIONS.to_string());
        tells::<Delivery>("maxConnections", &MAX_CONNECTIONS.to_string());
        tells::<Delivery>("ackTimeout", &format_duration(ACK_TIMEOUT));
        tells::<Delivery>("maxInFlight", &MAX_IN_FLIGHT.to_string());
        tells::<Delivery>("maxAttempts", &MAX_ATTEMPTS.to_string());
        tells::<Delivery>("backoff", &backoff);
        tells::<Trail>("messages", &TRAIL_MESSAGES.to_string());
        tells::<Trail>("time", &format_duration(TRAIL_TIME));
    }
}
