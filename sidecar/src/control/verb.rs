//! What can be asked of a running sidecar: the verbs with their arguments, and what they answer.

use std::ops::Range;
use std::str::FromStr;

use lifeboat_log::Accepted;
use serde::{Deserialize, Serialize};

use crate::dead_letter::Label;
use crate::readable::Excerpt;
use crate::status::State;

/// A verb with its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", content = "arguments", rename_all = "kebab-case")]
pub enum Verb {
    /// Where everything stands. Result: [`crate::status::Status`].
    Status,
    /// Some records, as they are. Items: [`Seen`]; result: how many.
    Peek(Peek),
    /// New records as they come, until nobody listens. Items: [`Seen`].
    Tail(Tail),
    /// Dead letters back into their stream. Result: [`Done`].
    Redrive(Redrive),
    /// Settles records by order. Result: [`Done`].
    Discard(Discard),
    /// Settles, or removes, everything of a kind. Result: [`Done`].
    Purge(Purge),
    /// Lets a stream go on behind what is damaged. Result: [`Price`].
    AcceptGap(AcceptGap),
    /// Takes nothing more from outside, until the process ends. Result: [`Quiesced`].
    Quiesce,
}

impl Verb {
    /// The names of all verbs, as requests spell them.
    pub const NAMES: &[&str] =
        &["status", "peek", "tail", "redrive", "discard", "purge", "accept-gap", "quiesce"];
}

/// Which records to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Peek {
    /// The stream.
    pub stream: String,
    /// Only what this delivery has not settled.
    pub delivery: Option<String>,
    /// The stream's dead letters instead; with `delivery`, those that it parked.
    #[serde(default)]
    pub dead_letters: bool,
    /// So many at most.
    pub count: u64,
    /// From this seq on; otherwise from the oldest that is not settled.
    pub from: Option<u64>,
    /// So many bytes of each message.
    pub bytes: u32,
}

/// What to follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tail {
    /// The stream.
    pub stream: String,
    /// Begin with so many records that are there already.
    pub last: u64,
    /// So many bytes of each message.
    pub bytes: u32,
}

/// Which dead letters go back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Redrive {
    /// The stream.
    pub stream: String,
    /// Only those that this delivery parked.
    pub delivery: Option<String>,
    /// These, by their seq among the dead letters; `None` is all.
    pub seqs: Option<Vec<Span>>,
    /// Only count them.
    #[serde(default)]
    pub dry_run: bool,
}

/// Which records a delivery need not deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Discard {
    /// The stream.
    pub stream: String,
    /// The delivery.
    pub delivery: String,
    /// The records.
    pub seqs: Vec<Span>,
    /// Only count them.
    #[serde(default)]
    pub dry_run: bool,
}

/// What goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Purge {
    /// The stream.
    pub stream: String,
    /// What of it.
    pub what: PurgeWhat,
    /// Only count it.
    #[serde(default)]
    pub dry_run: bool,
}

/// What of a stream is purged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PurgeWhat {
    /// Every record, for every delivery; of a stream that the file does not name, all of it.
    Everything,
    /// The dead letters.
    DeadLetters,
    /// Every record, for this delivery.
    Delivery(String),
    /// A delivery that the file does not name any more, and its hold on the data.
    Removed(String),
}

/// Which stream goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcceptGap {
    /// The stream.
    pub stream: String,
}

/// Nothing is taken from outside any more, and what was taken is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quiesced {
    /// Quiesced, or what permits less.
    pub state: State,
    /// Records of all streams that a delivery has not settled.
    pub depth: u64,
}

/// A run of seqs, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Span {
    /// As a range.
    pub fn range(self) -> Range<u64> {
        self.first..self.last.saturating_add(1)
    }
}

impl FromStr for Span {
    type Err = String;

    /// `7` or `7-20`.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let seq = |text: &str| text.parse::<u64>().ok().filter(|_| digits(text));
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (seq(first), seq(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err("expected a seq such as 7, or a run such as 7-20".to_owned()),
        }
    }
}

/// One record as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its seq; of a dead letter, among the dead letters.
    pub seq: u64,
    /// Unix time of its commit, in nanoseconds.
    pub time: u64,
    /// What a dead letter says of itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub letter: Option<Label>,
    /// The message.
    #[serde(flatten)]
    pub message: Excerpt,
}

/// What a verb that changes something did, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Records that it was done with.
    pub records: u64,
    /// Records that were meant and stay, because it cannot be done with them.
    pub left: u64,
    /// Nothing was changed.
    pub dry_run: bool,
}

/// What it costs that a stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// Damaged places that were mended.
    pub places: u64,
    /// Records that are lost.
    pub lost: u64,
    /// Records of damaged segments that were kept.
    pub kept: u64,
}

impl From<Accepted> for Price {
    fn from(Accepted { places, lost, kept }: Accepted) -> Self {
        Self { places, lost, kept }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_named() {
        let stream = || "work".to_owned();
        let (delivery, seqs) = (stream(), Vec::new());
        let verbs = [
            Verb::Status,
            Verb::Peek(Peek {
                stream: stream(),
                delivery: None,
                dead_letters: true,
                count: 1,
                from: None,
                bytes: 0,
            }),
            Verb::Tail(Tail { stream: stream(), last: 0, bytes: 0 }),
            Verb::Redrive(Redrive { stream: stream(), delivery: None, seqs: None, dry_run: false }),
            Verb::Discard(Discard { stream: stream(), delivery, seqs, dry_run: true }),
            Verb::Purge(Purge { stream: stream(), what: PurgeWhat::Everything, dry_run: false }),
            Verb::AcceptGap(AcceptGap { stream: stream() }),
            Verb::Quiesce,
        ];
        let mut names = Vec::new();
        for verb in verbs {
            let value = serde_json::to_value(&verb).unwrap();
            names.push(value["verb"].as_str().unwrap().to_owned());
            assert_eq!(serde_json::from_value::<Verb>(value).unwrap(), verb);
        }
        assert_eq!(names, Verb::NAMES);
    }

    #[test]
    fn a_span_is_a_seq_or_a_run() {
        assert_eq!("7".parse(), Ok(Span { first: 7, last: 7 }));
        assert_eq!("7-20".parse::<Span>().map(Span::range), Ok(7..21));
        for text in ["", "-", "7-", "20-7", "a", "+7", "1-2-3"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
