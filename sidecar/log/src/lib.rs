//! The segmented log and the state journal.
#![forbid(unsafe_code)]

pub mod disk;
pub mod error;
pub mod ids;
pub mod journal;
pub mod ranges;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub mod state;
mod sync_pool;
pub mod vfs;
