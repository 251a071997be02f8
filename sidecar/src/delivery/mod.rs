//! What is known about each record on its way to an application.
//!
//! [`lease`] serves applications that acknowledge, [`push`] those that cannot. Both keep a
//! [`cursor`]: everything below it is settled. All of it is pure: what must be written to the state
//! journal, parked or sent comes out as values, and the caller does it.
//!
//! The invariant of DESIGN section 6, as far as a delivery sees it:
//! `log_start <= cursor <= delivered_end <= published_end`.

pub mod backoff;
pub mod cursor;

/// Names one hand-out of one record: what a token carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseKey {
    /// The boot, or the part of the log's history, that handed it out.
    pub epoch: u64,
    /// The record.
    pub seq: u64,
    /// Which hand-out of it, from 1.
    pub attempt: u32,
}
