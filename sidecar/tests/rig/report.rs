//! What the checker found: counts, and every rule that was broken.

use std::collections::BTreeMap;
use std::fmt;

use super::history::HandOut;
use super::message::Submission;

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Violation {
    /// Receipted, and no consumer was ever handed it.
    Lost(Submission),
    /// Receipted, and the PULL application never got it.
    LostToPull(Submission),
    /// A stored record that no consumer was ever handed, receipt or not.
    Undelivered(u64),
    /// Delivered, and nobody sent it.
    Unexpected(Submission),
    /// Delivered or set apart, and not as it was sent. Where.
    Damaged(String),
    /// A seq stands for two payloads, or a receipt names another's.
    SeqReused(u64),
    /// One sending, two seqs.
    StoredTwice(Submission),
    /// By seq, this comes before one that the same socket sent earlier.
    OutOfOrder(Submission),
    /// Its receipt came before that of one that the same socket sent earlier, or a second time.
    ReceiptOutOfOrder(Submission),
    /// A first hand-out of a boot, to a consumer that has already got a later record's.
    DeliveredOutOfOrder(HandOut),
    /// The PULL application's records make this many ascending runs; each start explains one.
    PulledOutOfOrder(u64),
    /// The same hand-out twice, or to one consumer after a later one of the same record.
    AttemptRepeated(HandOut),
    /// An earlier boot had handed it out under this attempt or a later one, which is at least 2.
    AttemptForgotten(HandOut),
    /// A redelivery within a boot without a nack, and without the end of a lease.
    Unexplained(HandOut),
    /// A redelivery by a later boot, though the acknowledgement was in the journal.
    AckForgotten(HandOut),
    /// Settled, though nobody acknowledged it and it is no dead letter.
    SettledUnasked(u64),
    /// A dead letter whose record nobody rejected.
    StrangeDeadLetter(u64),
    /// HELLO or a token names another stream.
    StreamChanged,
    /// An answer that nobody should get.
    Refused(String),
}

/// Why a record was delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// The producer got no receipt in time: another record with the same message.
    Resend,
    /// The consumer nacked it.
    Nack,
    /// The consumer let its lease end.
    Expiry,
    /// The consumer's verdict came after the lease's end.
    LateVerdict,
    /// In flight at a kill.
    InFlight,
    /// Acknowledged, and perhaps not in the journal yet, at a kill.
    AckInFlight,
    /// Set apart, and a kill came before its source was settled.
    Parking,
}

/// The result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Broken rules.
    pub(crate) violations: Vec<Violation>,
    /// Deliveries beyond a message's first, by reason.
    pub(crate) duplicates: BTreeMap<Reason, u64>,
    /// Other figures, by name, in the order of the table.
    pub(crate) figures: Vec<(&'static str, u64)>,
}

impl Report {
    /// Messages with a receipt that no consumer saw.
    pub(crate) fn lost(&self) -> usize {
        let lost = |violation: &&Violation| {
            matches!(violation, Violation::Lost(_) | Violation::LostToPull(_))
        };
        self.violations.iter().filter(lost).count()
    }

    /// Messages that nobody sent, or not like that.
    pub(crate) fn unexpected(&self) -> usize {
        let unexpected = |violation: &&Violation| {
            matches!(violation, Violation::Unexpected(_) | Violation::Damaged(_))
        };
        self.violations.iter().filter(unexpected).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, figure) in &self.figures {
            writeln!(f, "  {name:<28} {figure:>9}")?;
        }
        for (reason, count) in &self.duplicates {
            let name = format!("delivered again: {reason:?}");
            writeln!(f, "  {name:<28} {count:>9}")?;
        }
        writeln!(f, "  {:<28} {:>9}", "lost", self.lost())?;
        writeln!(f, "  {:<28} {:>9}", "unexpected", self.unexpected())?;
        writeln!(f, "  {:<28} {:>9}", "rules broken", self.violations.len())?;
        for violation in self.violations.iter().take(20) {
            writeln!(f, "    {violation:?}")?;
        }
        Ok(())
    }
}
