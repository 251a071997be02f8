//! The rules of one Credit delivery, and how long a failed record waits.

use std::time::Duration;

/// What the queue's file says about a Credit delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long a hand-out may take before it counts as failed.
    pub ack_timeout: Duration,
    /// Most records in flight on one connection, whatever credit it gives.
    pub max_in_flight: u32,
    /// Failures after which a record is parked, at least 1.
    pub max_attempts: u32,
    /// Waits after the first, second, .. failure.
    pub backoff: Backoff,
}

/// Waits between a failure and the redelivery, by number of failures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backoff(Vec<Duration>);

impl Backoff {
    /// The waits after the first, second, .. failure; the last repeats. None at all: no wait.
    pub fn new(waits: Vec<Duration>) -> Self {
        Self(waits)
    }

    /// The wait after this many failures.
    pub fn after(&self, failures: u32) -> Duration {
        let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
        self.0.get(index).or(self.0.last()).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wait_repeats() {
        let backoff = Backoff::new([1, 10, 60].map(Duration::from_secs).to_vec());
        let waits = [1, 2, 3, 4, u32::MAX].map(|failures| backoff.after(failures).as_secs());
        assert_eq!(waits, [1, 10, 60, 60, 60]);
        assert_eq!(Backoff::default().after(3), Duration::ZERO);
    }
}
