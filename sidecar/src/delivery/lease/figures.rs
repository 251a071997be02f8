//! What a delivery's leases tell metrics and status.

/// Counters since the start, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records sent with an attempt of 2 or more.
    pub redelivered: u64,
    /// ACKs that settled a record without being of its current lease.
    pub late_acks: u64,
    /// ACKs of records that were settled already, dead letters included.
    pub repeated_acks: u64,
    /// ACKs of records that are not in the log.
    pub refused_acks: u64,
    /// NACK, REJECT and EXTEND that were not of a current lease: ignored.
    pub stale_verdicts: u64,
    /// Leases that ended without a verdict.
    pub expired: u64,
    /// Records that became suspects: their connection broke.
    pub suspected: u64,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Everything below is settled.
    pub cursor: u64,
    /// Above everything that was handed out or settled.
    pub delivered_end: u64,
    /// Records that a connection holds.
    pub in_flight: u64,
    /// Records below `published_end` that are not settled, in whatever state.
    pub unsettled: u64,
    /// The lowest of them.
    pub oldest_unsettled: Option<u64>,
    /// Records that wait for a dead letter to be written.
    pub parking: u64,
}
