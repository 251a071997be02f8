//! `seek`: a delivery goes on elsewhere, by an operator's order.

use std::ops::Range;

use lifeboat_api::StartText;
use lifeboat_log::{Place, Refusal};
use serde::{Deserialize, Serialize};

use crate::node::{DeliveryNode, Node, StreamNode};
use crate::sizing::place;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seek {
    /// The stream's name.
    pub stream: String,
    /// The delivery's name.
    pub delivery: String,
    /// `first`, `last`, `new`, a seq, or a time in UTC (RFC 3339).
    pub to: String,
    /// Only say what would be.
    pub dry_run: bool,
}

/// What was done, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sought {
    /// Where the cursor was.
    pub from: u64,
    /// Where it is now: what is not kept any more was passed over.
    pub cursor: u64,
    /// Records that are delivered again although they were settled.
    pub again: u64,
    /// Records that are not delivered although they were not settled.
    pub skipped: u64,
}

/// Reads a place as the command line has it.
///
/// # Errors
/// In words.
pub fn parse(text: &str) -> Result<Place, String> {
    let name = match text {
        "first" => "First",
        "last" => "Last",
        "new" => "New",
        other => other,
    };
    let start: StartText = name.parse().map_err(|error| {
        format!("{text:?} {error}; write first, last, new, a seq, or a time in UTC such as 2026-01-31T08:00:00Z")
    })?;
    Ok(place(start.value()))
}

/// Moves a delivery's cursor, and waits until that is synced. In a work queue only what is still held
/// is delivered again.
///
/// # Errors
/// In words: no such stream or delivery, no such place, or the log cannot be read or written.
pub async fn seek(node: &Node, seek: &Seek) -> Result<Sought, String> {
    let place = parse(&seek.to)?;
    let (stream, delivery) = find(node, seek)?;
    let to = tokio::task::block_in_place(|| place.seq_in(&stream.log));
    let to = to.map_err(|error| format!("the log cannot be read: {error}"))?;
    let sought = plan(stream, delivery, to);
    if !seek.dry_run {
        delivery.outlet.seek(&stream.log, to).await.map_err(words)?;
        let (from, cursor) = (sought.from, sought.cursor);
        tracing::info!(
            stream = stream.name,
            delivery = seek.delivery,
            from,
            cursor,
            "cursor moved by order"
        );
    }
    Ok(sought)
}

fn plan(stream: &StreamNode, delivery: &DeliveryNode, to: u64) -> Sought {
    let before = delivery.outlet.standing().cursor;
    let (marks, holes) = (stream.log.marks(), stream.log.holes().all());
    let records =
        |range: Range<u64>| range.end.saturating_sub(range.start) - holes.count_within(&range);
    let after = to..marks.published_end;
    Sought {
        from: before.position(),
        cursor: holes.next_absent(to),
        again: records(after.clone()) - before.unsettled_within(&after),
        skipped: before.unsettled_within(&(marks.log_start..to)),
    }
}

fn find<'a>(node: &'a Node, seek: &Seek) -> Result<(&'a StreamNode, &'a DeliveryNode), String> {
    let stream =
        node.streams.iter().find(|stream| stream.name == seek.stream).ok_or_else(|| {
            let names: Vec<&str> = node.streams.iter().map(|stream| stream.name.as_str()).collect();
            format!("no stream {}: there is {}", seek.stream, names.join(", "))
        })?;
    let wanted = |delivery: &&DeliveryNode| delivery.socket.name == seek.delivery;
    let delivery = stream.deliveries.iter().find(wanted).ok_or_else(|| {
        let deliveries = stream.deliveries.iter();
        let names: Vec<&str> = deliveries.map(|one| one.socket.name.as_str()).collect();
        format!("no delivery {} in {}: there is {}", seek.delivery, stream.name, names.join(", "))
    })?;
    Ok((stream, delivery))
}

fn words(refusal: Refusal) -> String {
    match refusal {
        Refusal::Closed => "the queue is stopping".to_owned(),
        Refusal::Poisoned => "the disk failed".to_owned(),
        Refusal::Stopped => "the stream is stopped by damage".to_owned(),
        Refusal::NoSpace => "the disk is full".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_people_say_them() {
        assert_eq!(parse("first"), Ok(Place::First));
        assert_eq!(parse("Last"), Ok(Place::Last));
        assert_eq!(parse("new"), Ok(Place::New));
        assert_eq!(parse("17"), Ok(Place::Seq(17)));
        assert_eq!(parse("1970-01-01T00:00:01Z"), Ok(Place::Time(1_000_000_000)));
        assert!(parse("yesterday").unwrap_err().contains("write first, last, new"));
    }
}
