//! How long a queue waits after its reconcile failed: longer each time, for each queue its own.

use std::collections::HashMap;
use std::time::Duration;

use rand::Rng;

use crate::run::lock::Locked;

/// After the first failure.
const FIRST: Duration = Duration::from_millis(500);
/// At most.
const LAST: Duration = Duration::from_secs(60);
/// Failures after which the wait grows no more: 500 ms doubled seven times is beyond `LAST`.
const DOUBLINGS: u32 = 7;

/// Failures in a row, by the queue's uid.
#[derive(Debug, Default)]
pub(crate) struct Backoffs(Locked<HashMap<String, u32>>);

impl Backoffs {
    /// Notes a failure, and says how long to wait: between half and the whole of what doubles
    /// each time, so that queues that failed together do not come back together.
    pub(crate) fn failed(&self, uid: &str) -> Duration {
        let mut failures = self.0.lock();
        let failures = failures.entry(uid.to_owned()).or_insert(0);
        let whole = FIRST.saturating_mul(1 << (*failures).min(DOUBLINGS)).min(LAST);
        *failures = failures.saturating_add(1);
        whole.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// Forgets the failures of a queue: it went well, or is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.0.lock().remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_start_anew_after_a_success() {
        let backoffs = Backoffs::default();
        for whole in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            let wait = backoffs.failed("a");
            assert!(wait >= Duration::from_millis(whole / 2), "{wait:?} of {whole} ms");
            assert!(wait <= Duration::from_millis(whole), "{wait:?} of {whole} ms");
        }
        assert!(backoffs.failed("b") <= FIRST, "each queue has its own");
        backoffs.forget("a");
        assert!(backoffs.failed("a") <= FIRST);
    }
}
