//! `discard` and `purge`: records that need not be delivered, by order. They are settled as an
//! application would, so that the log frees their space by its own rules.

use std::ops::Range;

use lifeboat_log::{Op, Urgency};

use super::{durable, find};
use crate::control::verb::{Discard, Done, Purge, PurgeWhat};
use crate::control::{Code, VerbError};
use crate::delivery::cursor::Cursor;
use crate::depth::depth;
use crate::node::{DeliveryNode, Node, StreamNode};

/// Settles single records.
pub(super) async fn discard(node: &Node, discard: &Discard) -> Result<Done, VerbError> {
    let stream = &find::stream(node, &discard.stream)?;
    let delivery = find::delivery(stream, &discard.delivery)?;
    let end = stream.log.published_end();
    if let Some(beyond) = discard.seqs.iter().find(|span| span.last >= end) {
        let text =
            format!("stream {} has no record {}: it ends before {end}", stream.name, beyond.last);
        return Err(VerbError::new(Code::NotFound, text));
    }
    let spans = discard.seqs.iter().map(|span| span.range());
    if discard.dry_run {
        let cursor = delivery.outlet.standing().cursor;
        let kept = stream.kept();
        let within = |span: Range<u64>| span.start.max(kept.start)..span.end;
        let records = spans.map(|span| cursor.unsettled_within(&within(span))).sum();
        return Ok(Done { records, left: 0, dry_run: true });
    }
    let records = spans.map(|span| delivery.outlet.skip(span)).sum();
    durable(&node.journal).await?;
    tracing::info!(
        stream = stream.name,
        delivery = discard.delivery,
        records,
        "discarded by order"
    );
    Ok(Done { records, left: 0, dry_run: false })
}

/// Settles, or removes, everything of a kind.
pub(super) async fn purge(node: &Node, purge: &Purge) -> Result<Done, VerbError> {
    let stream = &find::stream(node, &purge.stream)?;
    let _one_at_a_time = stream.change.lock().await;
    let dry_run = purge.dry_run;
    let records = match &purge.what {
        PurgeWhat::Everything if is_removed(node, stream) => {
            removed_stream(node, stream, dry_run).await?
        }
        PurgeWhat::Everything => everything(node, stream, dry_run),
        PurgeWhat::DeadLetters => dead_letters(stream, dry_run).await?,
        PurgeWhat::Delivery(name) => of_delivery(stream, &find::delivery(stream, name)?, dry_run),
        PurgeWhat::Removed(name) => removed(node, stream, name, dry_run)?,
    };
    if !dry_run {
        durable(&node.journal).await?;
        tracing::info!(stream = stream.name, what = ?purge.what, records, "purged by order");
    }
    Ok(Done { records, left: 0, dry_run })
}

/// Every record for every delivery, those that the file does not name any more included.
fn everything(node: &Node, stream: &StreamNode, dry_run: bool) -> u64 {
    let kept = stream.kept();
    let records = depth(&kept, &stream.cursors());
    if !dry_run {
        for delivery in stream.deliveries() {
            delivery.outlet.skip(kept.clone());
        }
        stream.settle_removed(&node.journal, std::slice::from_ref(&kept));
    }
    records
}

/// Whether the file does not name a stream any more.
fn is_removed(node: &Node, stream: &StreamNode) -> bool {
    node.removed().iter().any(|removed| removed.id == stream.id)
}

/// Every record and every dead letter of a stream that the file does not name any more, and then the
/// stream itself. What a crash interrupts has settled some of it, or is done by the next start.
async fn removed_stream(node: &Node, stream: &StreamNode, dry_run: bool) -> Result<u64, VerbError> {
    let records = everything(node, stream, dry_run) + dead_letters(stream, dry_run).await?;
    if !dry_run {
        stream.log.remove_stream().wait().await.map_err(super::stopping)?;
        node.removed().retain(|removed| removed.id != stream.id);
        // Made anew from the log, and the log is gone.
        let index = node.data.join("index").join(&stream.name);
        if index.exists()
            && let Err(error) = std::fs::remove_dir_all(&index)
        {
            tracing::warn!(index = %index.display(), %error, "the index of a removed stream stays");
        }
    }
    Ok(records)
}

async fn dead_letters(stream: &StreamNode, dry_run: bool) -> Result<u64, VerbError> {
    let letters = &stream.dead_letters;
    let records = letters.count();
    if !dry_run {
        let end = letters.log().published_end();
        letters.take(std::iter::once(0..end)).wait().await.map_err(super::stopping)?;
    }
    Ok(records)
}

fn of_delivery(stream: &StreamNode, delivery: &DeliveryNode, dry_run: bool) -> u64 {
    let kept = stream.kept();
    if dry_run {
        return delivery.outlet.standing().cursor.unsettled_within(&kept);
    }
    delivery.outlet.skip(kept)
}

/// A delivery that the file does not name any more: it, and its hold on the data.
fn removed(node: &Node, stream: &StreamNode, name: &str, dry_run: bool) -> Result<u64, VerbError> {
    let kept = stream.kept();
    let mut removed = stream.removed();
    let Some(at) = removed.iter().position(|removed| removed.name == name) else {
        let names = removed.iter().map(|removed| removed.name.as_str());
        return Err(find::not_found(
            &format!("removed delivery {name} on stream {}", stream.name),
            names,
        ));
    };
    let records = |cursor: &Cursor| cursor.unsettled_within(&kept);
    if dry_run {
        return Ok(removed.get(at).map_or(0, |removed| records(&removed.cursor(&stream.log))));
    }
    let gone = removed.remove(at);
    let op = Op::DeliveryRemoved { stream: stream.id, delivery: gone.id };
    node.journal.submit([op], Urgency::Now);
    Ok(records(&gone.cursor(&stream.log)))
}
