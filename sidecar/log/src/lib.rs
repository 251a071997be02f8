//! The segmented log and the state journal.
#![forbid(unsafe_code)]

pub mod ranges;
pub mod vfs;
