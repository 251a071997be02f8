//! `redrive`: dead letters back into their stream, for the delivery that gave them up.
//!
//! A letter is stored in the stream again, under a new seq and synced, before it is taken away: a
//! crash in between leaves both, a duplicate and never a loss. The stream's other deliveries have
//! settled the record long ago. They are held back while it is stored and then told to skip it;
//! only a crash right there makes them deliver it again.

use std::ops::Range;
use std::time::Duration;

use lifeboat_log::{Refusal, Rejection, Run};
use tokio::time::{Instant, sleep, timeout};

use super::{durable, find, look, stopping};
use crate::control::verb::{Done, Redrive, Span};
use crate::control::{Call, Code, VerbError};
use crate::dead_letter::Label;
use crate::egress::Outlet;
use crate::node::{Node, StreamNode};
use crate::records::{Record, Records};

/// Letters that are stored together at most.
const MOST_LETTERS: usize = 256;
/// ... and bytes, unless one letter has more.
const MOST_BYTES: usize = 128 << 10;
/// How long there may be no room for a letter.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a stream without room is asked again.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// Letters to be stored together.
#[derive(Debug, Default)]
struct Lot {
    /// Seqs among the dead letters.
    letters: Vec<u64>,
    /// The delivery of each.
    deliveries: Vec<String>,
    /// The messages, one after the other.
    bytes: Vec<u8>,
    records: Vec<Range<u32>>,
}

/// Puts letters back.
pub(super) async fn redrive(
    node: &Node,
    redrive: &Redrive,
    call: &Call,
) -> Result<Done, VerbError> {
    let stream = &find::stream(node, &redrive.stream)?;
    if let Some(name) = &redrive.delivery {
        find::delivery(stream, name)?;
    }
    let _one_at_a_time = stream.change.lock().await;
    let mut done = Done { dry_run: redrive.dry_run, ..Done::default() };
    let of = stream.dead_letters.count();
    let taken = stream.dead_letters.taken();
    // What is parked from now on stays: it may be the same again.
    let end = stream.dead_letters.log().published_end();
    let mut letters = Records::new(stream.dead_letters.log(), 0);
    let mut lot = Lot::default();
    let mut looked_at = 0;
    while let Some(letter) = letters.next(Some(&taken)).map_err(look::unreadable)?
        && letter.seq() < end
    {
        looked_at += 1;
        match choose(stream, redrive, &letter) {
            Choice::Passed => {}
            Choice::Left => done.left += 1,
            Choice::Goes(..) if redrive.dry_run => done.records += 1,
            Choice::Goes(delivery, message) => {
                if lot.is_full_with(message.len()) {
                    put_back(node, stream, &mut lot, &mut done).await?;
                    call.progress(looked_at, of).await;
                }
                lot.push(letter.seq(), delivery, message);
            }
        }
    }
    put_back(node, stream, &mut lot, &mut done).await?;
    if done.records + done.left == 0 && redrive.seqs.is_some() {
        let text = format!(
            "stream {} has no such dead letter; `lifeboat peek {} --dead-letters` lists them",
            stream.name, stream.name
        );
        return Err(VerbError::new(Code::NotFound, text));
    }
    if !redrive.dry_run {
        tracing::info!(stream = stream.name, records = done.records, "redriven by order");
    }
    Ok(done)
}

/// What becomes of a letter.
enum Choice<'a> {
    /// It was not meant.
    Passed,
    /// It was meant, and there is no delivery for it.
    Left,
    /// Back to this delivery, with this message.
    Goes(String, &'a [u8]),
}

fn choose<'a>(stream: &StreamNode, redrive: &Redrive, letter: &'a Record) -> Choice<'a> {
    let among = |spans: &Vec<Span>| spans.iter().any(|span| span.range().contains(&letter.seq()));
    if !redrive.seqs.as_ref().is_none_or(among) {
        return Choice::Passed;
    }
    match (Label::open(letter.wire()), &redrive.delivery) {
        (None, None) => Choice::Left,
        (None, Some(_)) => Choice::Passed,
        (Some((label, _)), Some(name)) if label.delivery != *name => Choice::Passed,
        (Some((label, _)), _) if find::delivery(stream, &label.delivery).is_err() => Choice::Left,
        (Some((label, message)), _) => Choice::Goes(label.delivery, message),
    }
}

impl Lot {
    fn is_full_with(&self, more: usize) -> bool {
        let full = self.letters.len() >= MOST_LETTERS || self.bytes.len() + more > MOST_BYTES;
        full && !self.letters.is_empty()
    }

    fn push(&mut self, letter: u64, delivery: String, message: &[u8]) {
        // A letter is a record, which is far below 4 GiB, and a lot holds one that is large.
        let end = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let start = end(self.bytes.len());
        self.bytes.extend_from_slice(message);
        self.records.push(start..end(self.bytes.len()));
        self.letters.push(letter);
        self.deliveries.push(delivery);
    }

    /// Seqs of what does not go to `delivery`, when its first letters were stored as `seqs`.
    fn not_for(&self, delivery: &str, seqs: &Range<u64>) -> Vec<Range<u64>> {
        let owned = seqs.clone().zip(&self.deliveries);
        owned.filter(|(_, owner)| *owner != delivery).map(|(seq, _)| seq..seq + 1).collect()
    }

    /// Forgets the first `count` letters.
    fn pass(&mut self, count: usize) {
        self.letters.drain(..count);
        self.deliveries.drain(..count);
        self.records.drain(..count);
        if self.records.is_empty() {
            self.bytes.clear();
        }
    }
}

/// Puts the letters of a lot back, a part at a time where room is short, and counts them.
async fn put_back(
    node: &Node,
    stream: &StreamNode,
    lot: &mut Lot,
    done: &mut Done,
) -> Result<(), VerbError> {
    let mut until = Instant::now() + PATIENCE;
    while !lot.letters.is_empty() {
        let count = store(node, stream, lot).await?;
        lot.pass(count);
        done.records += count as u64;
        if count > 0 {
            until = Instant::now() + PATIENCE;
        } else if Instant::now() < until {
            // Meanwhile deliveries go on, and may make room.
            sleep(TRY_AGAIN).await;
        } else {
            let text = format!(
                "stream {} has no room: {} went back, the other letters stay",
                stream.name, done.records
            );
            return Err(VerbError::new(Code::Conflict, text));
        }
    }
    Ok(())
}

/// Stores the first letters of a lot, for their deliveries only, and takes them away: as many as
/// find room at once. Returns how many.
async fn store(node: &Node, stream: &StreamNode, lot: &Lot) -> Result<usize, VerbError> {
    let deliveries = stream.deliveries();
    let alone = deliveries.len() == 1 && stream.removed().is_empty();
    let outlets = deliveries.iter().map(|delivery| &delivery.outlet);
    let held: Vec<_> = if alone { Vec::new() } else { outlets.map(Outlet::hold_new).collect() };
    let seqs = submit(stream, lot).await?;
    if seqs.is_empty() {
        return Ok(0);
    }
    // The letter goes for ever, so what takes its place is synced before, whatever the mode.
    stream.synced_below(seqs.end, &node.journal).await.map_err(stopping)?;
    for (delivery, held) in deliveries.iter().zip(held) {
        held.release_without(&lot.not_for(&delivery.socket.name, &seqs));
    }
    if !alone {
        stream.settle_removed(&node.journal, std::slice::from_ref(&seqs));
        durable(&node.journal).await?;
    }
    let stored: Vec<u64> = seqs.zip(&lot.letters).map(|(_, &letter)| letter).collect();
    let letters = stored.iter().map(|&letter| letter..letter + 1);
    stream.dead_letters.take(letters).wait().await.map_err(stopping)?;
    Ok(stored.len())
}

/// Stores the first messages of a lot, as many as find room at once, and returns their seqs. None
/// is left waiting: it would be stored some day, while its letter stays.
async fn submit(stream: &StreamNode, lot: &Lot) -> Result<Range<u64>, VerbError> {
    let queue = stream.log.refusing_queue();
    let run = Run { bytes: &lot.bytes, records: &lot.records };
    let submitted = loop {
        let room = queue.room();
        match queue.submit(run, &mut Vec::new()) {
            Ok(submitted) => break submitted,
            Err(Rejection::Full) if timeout(PATIENCE, room).await.is_err() => return Ok(0..0),
            Err(Rejection::Full) => {}
            Err(Rejection::Closed(refusal)) => return Err(stopping(refusal)),
        }
    };
    // Its outcome comes with the seqs.
    let _ = submitted.fate.wait().await;
    match submitted.seqs() {
        Some(Ok(seqs)) => {
            let most = seqs.start + lot.records.len() as u64;
            Ok(seqs.start..seqs.end.clamp(seqs.start, most))
        }
        Some(Err(Refusal::NoSpace)) | None => Ok(0..0),
        Some(Err(refusal)) => Err(stopping(refusal)),
    }
}
