//! `seek`: a delivery goes on elsewhere.

use std::ops::Range;
use std::sync::Arc;

use super::{find, off_the_workers, stopping};
use crate::control::verb::{Seek, Sought};
use crate::control::{Code, VerbError};
use crate::egress::undeliverable;
use crate::node::{DeliveryNode, Node, StreamNode};

/// Moves a delivery's cursor, and waits until that is synced. In a work queue only what is still held
/// is delivered again.
pub(super) async fn seek(node: &Node, seek: &Seek) -> Result<Sought, VerbError> {
    let place = Seek::place(&seek.to).map_err(|why| VerbError::new(Code::BadRequest, why))?;
    let stream = &find::stream(node, &seek.stream)?;
    let delivery = find::delivery(stream, &seek.delivery)?;
    let _one_at_a_time = stream.change.lock().await;
    let log = Arc::clone(&stream.log);
    let to = off_the_workers(move || place.seq_in(&log)).await?;
    let to = to.map_err(|error| {
        VerbError::new(Code::Failed, format!("stream {} cannot be read: {error}", stream.name))
    })?;
    let sought = Sought { dry_run: seek.dry_run, ..plan(stream, &delivery, to) };
    if !seek.dry_run {
        delivery.outlet.seek(&stream.log, to).await.map_err(stopping)?;
        let Sought { from, cursor, .. } = sought;
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
    let (kept, without) = (stream.kept(), undeliverable(&stream.log));
    let records =
        |range: Range<u64>| range.end.saturating_sub(range.start) - without.count_within(&range);
    let after = to..kept.end;
    Sought {
        from: before.position(),
        cursor: without.next_absent(to),
        // What became too old just now may not be settled yet.
        again: records(after.clone()).saturating_sub(before.unsettled_within(&after)),
        skipped: before.unsettled_within(&(kept.start..to)),
        dry_run: true,
    }
}
