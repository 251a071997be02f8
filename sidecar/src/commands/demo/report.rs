//! What a demo says at its end. Pure.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::commands::human::{count, counted};

/// The outcome.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Messages sent.
    pub(super) sent: u64,
    /// Messages with a receipt.
    pub(super) receipted: u64,
    /// Different messages delivered.
    pub(super) delivered: u64,
    /// Messages with a receipt that were not delivered.
    pub(super) lost: u64,
    /// Deliveries of a record that had been delivered before.
    pub(super) redelivered: u64,
    /// Messages that were stored a second time.
    pub(super) stored_twice: u64,
    /// Times that the queue was killed.
    pub(super) kills: u64,
    /// Group commits that the queue was seen to make, and the records in them.
    pub(super) syncs: u64,
    /// See `syncs`.
    pub(super) synced_records: u64,
}

impl Report {
    /// Nothing was lost, and everything sent has its receipt.
    pub(super) fn is_good(&self) -> bool {
        self.lost == 0 && self.receipted == self.sent && self.sent > 0
    }

    /// The table and the closing sentence.
    pub(super) fn render(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let again = format!(
            "{} delivered again: killed before their acknowledgement was synced",
            count(self.redelivered)
        );
        let twice = format!(
            "{} stored twice: killed before their receipt went out, so the producer sent them again",
            count(self.stored_twice)
        );
        let duplicates = count(self.redelivered + self.stored_twice);
        let rows = [
            ("sent", count(self.sent), "by a producer that sends again what has no receipt"),
            ("receipted", count(self.receipted), "a receipt says: written and synced"),
            ("delivered", count(self.delivered), "to a consumer that never restarted"),
            ("lost", count(self.lost), "receipted and not delivered"),
            ("duplicates", duplicates, "allowed, at-least-once:"),
            ("", String::new(), &again),
            ("", String::new(), &twice),
            ("kills", count(self.kills), "SIGKILL, at odd moments"),
            ("per sync", self.messages_per_sync(), "messages that shared one sync of the disk"),
        ];
        for (name, number, meaning) in rows {
            table.add_row([name, &number, meaning]);
        }
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if at == 1 {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        format!("{}\n\n{}", table.trim_fmt(), self.sentence())
    }

    fn messages_per_sync(&self) -> String {
        match (10 * self.synced_records).checked_div(self.syncs) {
            None => "-".to_owned(),
            Some(tenths) => format!("{}.{}", count(tenths / 10), tenths % 10),
        }
    }

    fn sentence(&self) -> String {
        if self.is_good() {
            format!(
                "Every message has its receipt, and every receipted message was delivered, though \
                 the queue was killed {}.",
                counted(self.kills, "time")
            )
        } else {
            format!(
                "{} messages have no receipt and {} receipted ones were not delivered: this must \
                 not be.",
                count(self.sent - self.receipted),
                count(self.lost)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Report = Report {
        sent: 1_000,
        receipted: 1_000,
        delivered: 1_000,
        lost: 0,
        redelivered: 7,
        stored_twice: 4,
        kills: 5,
        syncs: 10,
        synced_records: 1_004,
    };

    #[test]
    fn a_good_demo_says_so() {
        assert!(GOOD.is_good());
        let text = GOOD.render();
        for expected in ["11  allowed", "7 delivered again", "4 stored twice", "100.4", "5 times"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }

    #[test]
    fn a_loss_or_a_missing_receipt_is_no_success() {
        assert!(!Report { lost: 1, delivered: 999, ..GOOD }.is_good());
        assert!(!Report { receipted: 999, ..GOOD }.is_good());
        assert!(!Report { sent: 0, receipted: 0, delivered: 0, ..GOOD }.is_good());
        let text = Report { lost: 1, ..GOOD }.render();
        assert!(text.contains("1 receipted ones were not delivered"), "{text}");
    }
}
