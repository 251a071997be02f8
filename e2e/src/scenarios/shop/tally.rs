//! What the programs in a shop say that they have sent and got.

use serde::Deserialize;

use crate::scenarios::table::Counts;

/// What a producer says of itself.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::scenarios) struct Report {
    /// Sends, repeats counted.
    pub(in crate::scenarios) sent: u64,
    pub(in crate::scenarios) receipted: u64,
    /// Answers other than a receipt.
    pub(in crate::scenarios) refused: u64,
    /// When the last receipt came, in seconds since 1970.
    pub(in crate::scenarios) last: f64,
    /// The longest time between two receipts, in seconds.
    longest_gap: f64,
    pub(super) done: bool,
}

impl Report {
    /// Sends without an answer: each may have been stored.
    fn unanswered(&self) -> u64 {
        self.sent.saturating_sub(self.receipted + self.refused)
    }
}

/// What the collector has of a producer.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Got {
    deliveries: u64,
    ranges: Vec<(u64, u64)>,
}

impl Got {
    /// What has become of the messages of a producer that has stopped.
    pub(super) fn compared(&self, report: &Report) -> Counts {
        Counts {
            sent: report.sent,
            receipted: report.receipted,
            unanswered: report.unanswered(),
            delivered: self.unique(),
            duplicates: self.deliveries - self.unique(),
            lost: self.missing_below(report.receipted),
            longest_gap: report.longest_gap,
        }
    }

    /// Of its messages, how many have come.
    fn unique(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Of the messages below `end`, how many are missing.
    fn missing_below(&self, end: u64) -> u64 {
        let below = |(first, last): &(u64, u64)| (last + 1).min(end).saturating_sub(*first);
        end - self.ranges.iter().map(below).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_counted() {
        let got = Got { deliveries: 9, ranges: vec![(0, 3), (6, 7)] };
        assert_eq!(got.unique(), 6);
        assert_eq!(got.missing_below(4), 0);
        assert_eq!(got.missing_below(6), 2);
        assert_eq!(got.missing_below(7), 2);
        assert_eq!(got.missing_below(10), 4);
    }

    #[test]
    fn what_was_not_answered_may_be_stored() {
        let report = Report { sent: 10, receipted: 6, refused: 3, ..Report::default() };
        assert_eq!(report.unanswered(), 1);
    }
}
