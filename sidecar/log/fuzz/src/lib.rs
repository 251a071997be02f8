//! What the targets of this crate share: FORMAT.md written down a second time, without the code
//! that is being fuzzed, and volumes on the simulated disk.
//!
//! - [`format`] encodes, with checksums that are right, so that a target gets past them
//! - [`naive`] decodes: slow, and with no idea of recovery
//! - [`volume`] opens, reads and harms
//! - [`journal`] encodes the state journal
pub mod format;
pub mod journal;
pub mod naive;
pub mod volume;
