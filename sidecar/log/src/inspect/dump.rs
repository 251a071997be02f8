//! Every record that can be read from a stream, in the order of their seqs, one after the other.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{Holding, hold, logs_of, names, segments};
use crate::batch::Batch;
use crate::error::LogError;
use crate::vfs::Vfs;
use crate::volume::STREAMS;

/// What to read.
#[derive(Debug, Clone)]
pub struct DumpOptions {
    /// One stream alone.
    pub stream: Option<String>,
    /// The dead letters instead of the records.
    pub dead_letters: bool,
    /// Seqs.
    pub seqs: Range<u64>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dumped<'a> {
    /// A record.
    Record {
        /// Its stream.
        stream: &'a str,
        /// Its seq.
        seq: u64,
        /// Unix time of its commit in nanoseconds.
        time: u64,
        /// Its message, as ZMTP frames.
        payload: Bytes,
    },
    /// No record between two that are there: deleted, or lost.
    Missing {
        /// The stream.
        stream: &'a str,
        /// Their seqs.
        seqs: Range<u64>,
    },
}

/// Hands out what is in `dir`. What is damaged is passed over; nothing is in memory but a batch.
///
/// # Errors
/// `Locked` when a process has the directory open; of the disk; of `each`.
pub fn dump(
    vfs: &Arc<dyn Vfs>,
    dir: &Path,
    options: &DumpOptions,
    each: &mut dyn FnMut(Dumped<'_>) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let _held = hold(&**vfs, dir)?;
    let root = dir.join(STREAMS);
    let wanted = if options.dead_letters { Holding::DeadLetters } else { Holding::Records };
    for stream in names(&**vfs, &root)? {
        if options.stream.as_ref().is_none_or(|only| *only == stream) {
            for (log, holding) in logs_of(&root.join(&stream)) {
                if holding == wanted {
                    one_log(&**vfs, &log, &stream, &options.seqs, each)?;
                }
            }
        }
    }
    Ok(())
}

fn one_log(
    vfs: &dyn Vfs,
    dir: &Path,
    stream: &str,
    seqs: &Range<u64>,
    each: &mut dyn FnMut(Dumped<'_>) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let mut next = None;
    for segment in segments::list(vfs, dir)? {
        if segment.seqs.end <= seqs.start || segment.seqs.start >= seqs.end {
            continue;
        }
        segment.read(vfs, |batch: Batch| {
            for seq in batch.first_seq.max(seqs.start)..batch.end_seq().min(seqs.end) {
                let missing = next.unwrap_or(seq)..seq;
                if !missing.is_empty() {
                    each(Dumped::Missing { stream, seqs: missing })?;
                }
                next = Some(seq + 1);
                let payload = batch.payload(seq).unwrap_or_default();
                each(Dumped::Record { stream, seq, time: batch.time, payload })?;
            }
            Ok(())
        })?;
    }
    Ok(())
}
