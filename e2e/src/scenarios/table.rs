//! The table at the end: what each scenario counted.

use std::time::Duration;

/// Messages of one scenario.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// Sends, repeats counted.
    pub sent: u64,
    /// Messages that have a receipt.
    pub receipted: u64,
    /// Messages that a worker got.
    pub delivered: u64,
    /// Deliveries beyond the first.
    pub duplicates: u64,
    /// Receipted and not delivered.
    pub lost: u64,
    /// The longest time between two receipts, in seconds.
    pub longest_gap: f64,
}

/// A line of the table.
#[derive(Debug)]
pub struct Row {
    /// The scenario.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What it counted, or why it failed.
    pub outcome: Result<(Counts, String), String>,
}

/// The table, for people.
pub fn render(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<22} {:>6} {:>8} {:>9} {:>9} {:>10} {:>5} {:>7}  \n",
        "scenario", "time", "sent", "receipted", "delivered", "duplicates", "lost", "gap"
    );
    for row in rows {
        text.push_str(&line(row));
        text.push('\n');
    }
    text
}

/// A line of it.
pub fn line(row: &Row) -> String {
    let took = format!("{:.0} s", row.took.as_secs_f64());
    let line = match &row.outcome {
        Ok((counts, note)) => format!(
            "{:<22} {took:>6} {:>8} {:>9} {:>9} {:>10} {:>5} {:>5.1} s  {note}",
            row.name,
            counts.sent,
            counts.receipted,
            counts.delivered,
            counts.duplicates,
            counts.lost,
            counts.longest_gap,
        ),
        Err(why) => {
            format!("{:<22} {took:>6} FAILED: {}", row.name, why.lines().next().unwrap_or(""))
        }
    };
    line.trim_end().to_owned()
}
