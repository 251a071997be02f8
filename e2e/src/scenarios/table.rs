//! The table at the end: what each scenario counted.

use std::time::Duration;

use crate::error::{Error, Result};

/// What a worker has in hand at most: its `CREDIT`, and the default of `maxInFlight`.
const IN_FLIGHT: u64 = 64;
/// Settlements of which a sidecar that is killed may not have synced the last.
const UNSYNCED: u64 = 1000;

/// Messages of one scenario.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// Sends, repeats counted.
    pub sent: u64,
    /// Messages that have a receipt.
    pub receipted: u64,
    /// Sends without an answer: each may have been stored.
    pub unanswered: u64,
    /// Messages that a worker got.
    pub delivered: u64,
    /// Deliveries beyond the first.
    pub duplicates: u64,
    /// Receipted and not delivered.
    pub lost: u64,
    /// The longest time between two receipts, in seconds.
    pub longest_gap: f64,
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            receipted: self.receipted + other.receipted,
            unanswered: self.unanswered + other.unanswered,
            delivered: self.delivered + other.delivered,
            duplicates: self.duplicates + other.duplicates,
            lost: self.lost + other.lost,
            longest_gap: self.longest_gap.max(other.longest_gap),
        }
    }
}

/// What has ended, each a reason for messages to come again.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Ends {
    /// Applications, for whatever reason.
    pub(super) applications: u64,
    /// Sidecars, by SIGKILL.
    pub(super) sidecars: u64,
}

impl Counts {
    /// Checks that there are no more duplicates than the contract allows: one for each send that was
    /// not answered, what each application had in hand, and what each sidecar had not synced.
    /// Answers how many it allows.
    ///
    /// # Errors
    /// `Broken`.
    pub(super) fn bounded(&self, ends: Ends) -> Result<u64> {
        let Ends { applications, sidecars } = ends;
        let allowed = self.unanswered + (applications + sidecars) * IN_FLIGHT + sidecars * UNSYNCED;
        if self.duplicates > allowed {
            let duplicates = self.duplicates;
            return Err(Error::Broken(format!("{duplicates} duplicates, of at most {allowed}")));
        }
        Ok(allowed)
    }
}

/// How a scenario went.
#[derive(Debug)]
pub enum End {
    /// As it must, with what was counted and a remark.
    Passed(Counts, String),
    /// It cannot be done here.
    Skipped(String),
    /// Otherwise.
    Failed(String),
}

/// A line of the table.
#[derive(Debug)]
pub struct Row {
    /// The scenario.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// How it went.
    pub end: End,
}

/// The table, for people.
pub fn render(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<16} {:>6} {:>8} {:>9} {:>9} {:>10} {:>5} {:>7}\n",
        "scenario", "time", "sent", "receipted", "delivered", "duplicates", "lost", "gap"
    );
    for row in rows {
        text.push_str(&line(row));
        text.push('\n');
    }
    let took: Duration = rows.iter().map(|row| row.took).sum();
    let sum = format!("{:<16} {:>4.0} s\n", "together", took.as_secs_f64());
    text + &sum
}

/// A line of it.
pub fn line(row: &Row) -> String {
    let name = format!("{:<16} {:>4.0} s", row.name, row.took.as_secs_f64());
    let line = match &row.end {
        End::Passed(counts, note) if counts.sent == 0 => format!("{name} {:54}  {note}", ""),
        End::Passed(counts, note) => format!(
            "{name} {:>8} {:>9} {:>9} {:>10} {:>5} {:>5.1} s  {note}",
            counts.sent,
            counts.receipted,
            counts.delivered,
            counts.duplicates,
            counts.lost,
            counts.longest_gap,
        ),
        End::Skipped(why) => format!("{name} skipped: {why}"),
        End::Failed(why) => format!("{name} FAILED: {}", why.lines().next().unwrap_or("")),
    };
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_bounded() {
        let counts = Counts { unanswered: 2, duplicates: 66, ..Counts::default() };
        assert_eq!(counts.bounded(Ends { applications: 1, sidecars: 0 }).unwrap(), 66);
        assert!(counts.bounded(Ends::default()).is_err());
        assert_eq!(counts.bounded(Ends { applications: 0, sidecars: 1 }).unwrap(), 1066);
    }
}
