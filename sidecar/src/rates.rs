//! Rates per second out of counters that only rise.

use std::time::{Duration, Instant};

/// A rate is over at least this time.
const SPAN: Duration = Duration::from_secs(5);

/// One counter's rate.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    since: Instant,
    count: u64,
    per_second: f64,
}

impl Rate {
    /// Of a counter that stands at 0.
    pub fn new(now: Instant) -> Self {
        Self { since: now, count: 0, per_second: 0.0 }
    }

    /// The rate over the last whole span, given where the counter stands.
    #[expect(clippy::cast_precision_loss, reason = "a rate is for people to look at")]
    pub fn at(&mut self, now: Instant, count: u64) -> f64 {
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= SPAN {
            self.per_second = count.saturating_sub(self.count) as f64 / elapsed.as_secs_f64();
            (self.since, self.count) = (now, count);
        }
        self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_increase_over_a_span() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        assert_eq!(rate.at(start + Duration::from_secs(1), 100).to_bits(), 0f64.to_bits());
        assert!((rate.at(start + Duration::from_secs(5), 500) - 100.0).abs() < 1e-9);
        assert!((rate.at(start + Duration::from_secs(6), 9_000) - 100.0).abs() < 1e-9);
        assert!((rate.at(start + Duration::from_secs(10), 500)).abs() < 1e-9);
    }
}
