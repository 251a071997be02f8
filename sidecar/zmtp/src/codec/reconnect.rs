//! When to try again after a connection could not be made, or ended. Pure: no clock, no randomness.

use std::time::Duration;

/// Exponential backoff with full jitter, so that many who lost the same peer do not come back at
/// the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconnectConfig {
    /// The longest first wait.
    pub first: Duration,
    /// No wait is longer.
    pub most: Duration,
    /// No wait is shorter.
    pub least: Duration,
    /// A connection that lasted so long counts as a good one: then the waits start anew.
    pub good_after: Duration,
}

impl Default for ReconnectConfig {
    /// From 100 ms, doubling, to 5 s; good after 5 s.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            most: Duration::from_secs(5),
            least: Duration::from_millis(10),
            good_after: Duration::from_secs(5),
        }
    }
}

/// The tries at one endpoint.
#[derive(Debug)]
pub struct Reconnect {
    config: ReconnectConfig,
    /// Tries since the last good connection.
    tries: u32,
}

impl Reconnect {
    /// None yet.
    pub fn new(config: ReconnectConfig) -> Self {
        Self { config, tries: 0 }
    }

    /// A try has ended: it came to a connection that lasted so long, or to none. Returns how long
    /// to wait: a `random`th part (of 2^32) of a time that doubles with each try.
    pub fn ended(&mut self, lasted: Option<Duration>, random: u32) -> Duration {
        let ReconnectConfig { first, most, least, good_after } = self.config;
        if lasted.is_some_and(|lasted| lasted >= good_after) {
            self.tries = 0;
        }
        let longest = first.saturating_mul(2u32.saturating_pow(self.tries)).min(most);
        self.tries = self.tries.saturating_add(1);
        let part = (longest.as_nanos() * u128::from(random)) >> 32;
        Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX)).clamp(least, most)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(duration: Duration) -> u128 {
        duration.as_millis()
    }

    #[test]
    fn waits_double_to_the_most_and_start_anew_after_a_good_connection() {
        let mut reconnect = Reconnect::new(ReconnectConfig::default());
        let waits: Vec<_> = (0..8).map(|_| millis(reconnect.ended(None, u32::MAX))).collect();
        assert_eq!(waits, [99, 199, 399, 799, 1_599, 3_199, 4_999, 4_999]);
        let short = Some(Duration::from_secs(4));
        assert_eq!(millis(reconnect.ended(short, u32::MAX)), 4_999, "it is not good yet");
        let long = Some(Duration::from_secs(5));
        assert_eq!(millis(reconnect.ended(long, u32::MAX)), 99);
        assert_eq!(millis(reconnect.ended(None, u32::MAX)), 199);
    }

    #[test]
    fn jitter_is_full_but_never_a_spin() {
        let mut reconnect = Reconnect::new(ReconnectConfig::default());
        assert_eq!(millis(reconnect.ended(None, 0)), 10);
        assert_eq!(millis(reconnect.ended(None, 1 << 31)), 100);
        assert_eq!(millis(reconnect.ended(None, 1 << 30)), 100);
    }

    proptest! {
        #[test]
        fn a_wait_is_within_its_bounds(
            tries in prop::collection::vec((prop::option::of(0u64..10_000), any::<u32>()), 1..200)
        ) {
            let config = ReconnectConfig::default();
            let mut reconnect = Reconnect::new(config);
            for (lasted, random) in tries {
                let wait = reconnect.ended(lasted.map(Duration::from_millis), random);
                prop_assert!((config.least..=config.most).contains(&wait));
            }
        }
    }
}
