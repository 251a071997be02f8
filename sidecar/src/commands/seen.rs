//! Records as `peek` and `tail` print them. Pure.

use std::time::Duration;

use comfy_table::Table;

use super::human::{age, bytes};
use super::table::table;
use crate::control::verb::Seen;

/// Bytes of a message that people see.
pub(super) const FOR_PEOPLE: u32 = 200;
/// ... and machines.
pub(super) const FOR_MACHINES: u32 = 64 << 10;

/// A table of records; `now` is the Unix time.
pub(super) fn records(seen: &[Seen], now: Duration) -> Table {
    let mut table = table(&["seq", "age", "size", "message"], 0..3);
    for one in seen {
        let size = bytes(one.message.size);
        table.add_row([one.seq.to_string(), age_of(one, now), size, one.message.line()]);
    }
    table
}

/// A table of dead letters; `now` is the Unix time.
pub(super) fn letters(seen: &[Seen], now: Duration) -> Table {
    let columns =
        ["seq", "age", "delivery", "was seq", "attempts", "failures", "reason", "message"];
    let mut table = table(&columns, 0..2);
    for one in seen {
        let start = [one.seq.to_string(), age_of(one, now)];
        let label = match &one.letter {
            None => ["?", "?", "?", "?", "no label"].map(str::to_owned),
            Some(label) => {
                let reason = match label.detail.as_str() {
                    "" => label.reason.clone(),
                    detail => format!("{}: {detail}", label.reason),
                };
                let [attempts, failures] =
                    [label.attempts, label.failures].map(|it| it.to_string());
                [label.delivery.clone(), label.seq.to_string(), attempts, failures, reason]
            }
        };
        table.add_row(start.into_iter().chain(label).chain([one.message.line()]));
    }
    table
}

fn age_of(seen: &Seen, now: Duration) -> String {
    age(now.saturating_sub(Duration::from_nanos(seen.time)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::verb::Span;
    use crate::dead_letter::Label;
    use crate::readable::{Excerpt, Frame};

    fn seen(letter: Option<Label>) -> Seen {
        let frames = vec![Frame::of(b"order 7"), Frame::of(b"\xff")];
        let message = Excerpt { size: 2048, frames, cut: true };
        Seen { seq: 1_234, time: 5_000_000_000, letter, message }
    }

    #[test]
    fn a_record_is_a_line() {
        let text = records(&[seen(None)], Duration::from_secs(66)).trim_fmt();
        assert!(text.ends_with("1234  1m 1s  2.00 KiB  order 7 | base64:/w==…"), "{text}");
    }

    #[test]
    fn seqs_are_written_as_commands_take_them() {
        let now = Duration::from_secs(66);
        for table in [records(&[seen(None)], now), letters(&[seen(None)], now)] {
            let text = table.trim_fmt();
            let seq = text.lines().nth(1).and_then(|line| line.split_whitespace().next()).unwrap();
            assert_eq!(seq.parse::<Span>(), Ok(Span { first: 1_234, last: 1_234 }), "{text}");
        }
    }

    #[test]
    fn a_letter_says_whose_it_was_and_why() {
        let label = Label {
            stream: "work".to_owned(),
            delivery: "workers".to_owned(),
            seq: 7,
            attempts: 3,
            failures: 2,
            reason: "rejected".to_owned(),
            detail: "no such order".to_owned(),
        };
        let text = letters(&[seen(Some(label)), seen(None)], Duration::from_secs(66)).trim_fmt();
        let words: Vec<_> = text.lines().nth(1).unwrap().split("  ").map(str::trim).collect();
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let expected = [
            "1234",
            "1m 1s",
            "workers",
            "7",
            "3",
            "2",
            "rejected: no such order",
            "order 7 | base64:/w==…",
        ];
        assert_eq!(words, expected);
        assert!(text.contains("no label"));
    }
}
