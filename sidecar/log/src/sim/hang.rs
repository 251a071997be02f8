//! Calls that do not return, as on a network disk whose other end is silent.

use std::sync::{Condvar, Mutex, PoisonError};

use super::fault::Call;

/// Lets calls pass, or holds them.
#[derive(Debug, Default)]
pub(super) struct Hang {
    hangs: Mutex<bool>,
    ended: Condvar,
}

impl Hang {
    pub(super) fn set(&self, hangs: bool) {
        *self.hangs.lock().unwrap_or_else(PoisonError::into_inner) = hangs;
        self.ended.notify_all();
    }

    /// Returns once calls pass. What is read is in memory, and needs no disk.
    pub(super) fn wait(&self, call: Call) {
        if matches!(call, Call::Look | Call::Read) {
            return;
        }
        let hangs = self.hangs.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.ended.wait_while(hangs, |hangs| *hangs).unwrap_or_else(PoisonError::into_inner));
    }
}
