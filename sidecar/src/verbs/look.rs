//! `peek` and `tail`: records as they are. Nothing here settles, leases or holds anything.

use lifeboat_log::LogError;
use tokio::select;

use super::find;
use crate::control::verb::{Peek, Seen, Tail};
use crate::control::{Call, Code, VerbError};
use crate::dead_letter::Label;
use crate::node::{Node, StreamNode};
use crate::readable::Excerpt;
use crate::records::{Record, Records};

/// Most bytes of a message that are shown: with every byte escaped, a line still holds them.
const MOST_BYTES: usize = 1 << 20;

/// Lists records. Returns how many there were.
pub(super) async fn peek(node: &Node, peek: &Peek, call: &Call) -> Result<u64, VerbError> {
    let stream = &find::stream(node, &peek.stream)?;
    if peek.dead_letters {
        letters(stream, peek, call).await
    } else {
        live(stream, peek, call).await
    }
}

async fn live(stream: &StreamNode, peek: &Peek, call: &Call) -> Result<u64, VerbError> {
    let cursor = match &peek.delivery {
        Some(name) => Some(find::cursor(stream, name)?),
        None => None,
    };
    let from = peek.from.or_else(|| cursor.as_ref().map(crate::delivery::cursor::Cursor::position));
    let mut records = Records::new(&stream.log, from.unwrap_or_else(|| stream.lowest_cursor()));
    let mut count = 0;
    while count < peek.count
        && let Some(record) = records.next(cursor.as_ref()).map_err(unreadable)?
    {
        call.item(&seen(&record, peek.bytes)).await?;
        count += 1;
    }
    Ok(count)
}

async fn letters(stream: &StreamNode, peek: &Peek, call: &Call) -> Result<u64, VerbError> {
    if let Some(name) = &peek.delivery {
        find::cursor(stream, name)?;
    }
    let taken = stream.dead_letters.taken();
    let mut records = Records::new(stream.dead_letters.log(), peek.from.unwrap_or(0));
    let mut count = 0;
    while count < peek.count
        && let Some(record) = records.next(Some(&taken)).map_err(unreadable)?
    {
        let seen = seen_letter(&record, peek.bytes);
        let parked_by = seen.letter.as_ref().map(|letter| &letter.delivery);
        if peek.delivery.is_none() || parked_by == peek.delivery.as_ref() {
            call.item(&seen).await?;
            count += 1;
        }
    }
    Ok(count)
}

/// Lists records as they come, until nobody listens any more.
pub(super) async fn tail(node: &Node, tail: &Tail, call: &Call) -> Result<(), VerbError> {
    let stream = &find::stream(node, &tail.stream)?;
    let from = stream.log.published_end().saturating_sub(tail.last);
    let mut records = Records::new(&stream.log, from);
    loop {
        let changed = stream.log.changed();
        while let Some(record) = records.next(None).map_err(unreadable)? {
            call.item(&seen(&record, tail.bytes)).await?;
        }
        if let Some(reason) = stream.log.marks().stopped {
            let text = format!("stream {} is stopped: {reason}", stream.name);
            return Err(VerbError::new(Code::Conflict, text));
        }
        select! {
            () = call.over() => return Ok(()),
            () = changed => {}
        }
    }
}

fn seen(record: &Record, bytes: u32) -> Seen {
    let message = Excerpt::of(record.wire(), limit(bytes));
    Seen { seq: record.seq(), time: record.time(), letter: None, message }
}

fn seen_letter(record: &Record, bytes: u32) -> Seen {
    let Some((label, message)) = Label::open(record.wire()) else { return seen(record, bytes) };
    let message = Excerpt::of(message, limit(bytes));
    Seen { seq: record.seq(), time: record.time(), letter: Some(label), message }
}

fn limit(bytes: u32) -> usize {
    (bytes as usize).min(MOST_BYTES)
}

/// A record could not be read.
pub(super) fn unreadable(error: LogError) -> VerbError {
    VerbError::new(Code::Failed, error)
}
