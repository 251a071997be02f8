//! What the threads of this crate meet at: the standard library's primitives and event-listener's.
//!
//! Unit tests built with `--cfg shuttle` get others, at whose every use a scheduler chooses which
//! thread goes on (`interleavings`). Whoever waits or wakes takes them from here.

#[cfg(not(all(test, shuttle)))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64};
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};
    pub(crate) use std::thread;

    pub(crate) use event_listener::Event;
}

#[cfg(all(test, shuttle))]
mod scheduled {
    use std::ops::Deref;

    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64};
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use shuttle::thread;

    /// A primitive that the scheduler does not know: each use of it is one step, before which any
    /// other thread may run.
    #[derive(Debug, Default)]
    pub(crate) struct Step<T> {
        inner: T,
        point: AtomicBool,
    }

    pub(crate) type Event = Step<event_listener::Event>;
    pub(crate) type OnceLock<T> = Step<std::sync::OnceLock<T>>;

    impl<T: Default> Step<T> {
        pub(crate) fn new() -> Self {
            Self::default()
        }
    }

    impl<T> Deref for Step<T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.point.load(std::sync::atomic::Ordering::SeqCst);
            &self.inner
        }
    }
}

#[cfg(not(all(test, shuttle)))]
pub(crate) use real::*;
#[cfg(all(test, shuttle))]
pub(crate) use scheduled::*;
