//! Waiting for what another process does: a condition, a deadline, and what was seen instead.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How long anything may take; generous, for two cores may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks.
const POLL: Duration = Duration::from_millis(50);

/// Asks again and again until it is so, for at most 90 s. `ask` answers what was wanted, or what it
/// saw instead.
///
/// # Errors
/// `Deadline`, with the last thing seen.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(found) => return Ok(found),
            Err(last) if Instant::now() >= deadline => {
                let seconds = PATIENCE.as_secs();
                return Err(Error::Deadline { what: what.to_owned(), seconds, last });
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}
