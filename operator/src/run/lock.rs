//! A mutex for short, synchronous sections. A panic inside one leaves the data as it is: whatever
//! is kept behind these locks may be forgotten or made anew.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A value behind a mutex.
#[derive(Debug, Default)]
pub(crate) struct Locked<T>(Mutex<T>);

impl<T> Locked<T> {
    /// Waits for the others. Not to be held over an `await`.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
