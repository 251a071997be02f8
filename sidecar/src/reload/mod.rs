//! The queue's file, while the queue runs: seen when it changes ([`watch`]), and compared with what
//! runs ([`delta()`]). What is done about a difference is in [`crate::app`].

pub mod delta;
pub mod watch;

pub use delta::{Change, Delta, Side, after, delta};
pub use watch::FileWatch;
