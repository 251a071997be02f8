//! The state journal's files by FORMAT.md. Fields are whatever they are given, checksums are right.

use std::ops::Range;

use arbitrary::Arbitrary;
use lifeboat_log::ids::{DeliveryId, StreamId};
use lifeboat_log::state::Op;

use crate::format::salted;

/// An operation, with few streams and deliveries so that several concern the same one.
#[derive(Debug, Arbitrary)]
pub enum AnyOp {
    Created { stream: u8, delivery: u8, cursor: Number, name: u8 },
    Removed { stream: u8, delivery: u8 },
    Settled { stream: u8, delivery: u8, from: Number, to: Number },
    Attempt { stream: u8, delivery: u8, seq: Number, attempt: u32, failures: u32, suspect: bool },
    Deleted { stream: u8, from: Number, to: Number },
    StreamRemoved { stream: u8 },
    Gap { log: u8, from: Number, to: Number },
    Jump { log: u8, from: Number, to: Number },
    Lost { stream: u8, delivery: u8, from: Number, to: Number },
    WeaklySynced { log: u8, weak: bool },
    Seeked { stream: u8, delivery: u8, cursor: Number },
}

/// A number that is often small.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub enum Number {
    Small(u8),
    Any(u64),
    /// So far below the largest.
    Large(u8),
}

impl Number {
    /// The number.
    #[must_use]
    pub fn value(self) -> u64 {
        match self {
            Self::Small(number) => number.into(),
            Self::Any(number) => number,
            Self::Large(below) => u64::MAX - u64::from(below),
        }
    }
}

impl AnyOp {
    /// The operation, as the crate knows it.
    #[must_use]
    pub fn op(&self) -> Op {
        let id = |stream: u8| StreamId([stream % 3; 16]);
        let of = |stream: u8, delivery: u8| (id(stream), DeliveryId(u32::from(delivery % 3)));
        match *self {
            Self::Created { stream, delivery, cursor, name } => {
                let (stream, delivery) = of(stream, delivery);
                let name = "n".repeat(name.into());
                Op::DeliveryCreated { stream, delivery, name, cursor: cursor.value() }
            }
            Self::Removed { stream, delivery } => {
                let (stream, delivery) = of(stream, delivery);
                Op::DeliveryRemoved { stream, delivery }
            }
            Self::Settled { stream, delivery, from, to } => {
                let (stream, delivery) = of(stream, delivery);
                Op::Settled { stream, delivery, range: from.value()..to.value() }
            }
            Self::Attempt { stream, delivery, seq, attempt, failures, suspect } => {
                let (stream, delivery) = of(stream, delivery);
                Op::Attempt { stream, delivery, seq: seq.value(), attempt, failures, suspect }
            }
            Self::Deleted { stream, from, to } => {
                Op::SegmentsDeleted { log: id(stream), numbers: from.value()..to.value() }
            }
            Self::StreamRemoved { stream } => Op::StreamRemoved { stream: id(stream) },
            Self::Gap { log, from, to } => {
                Op::Gap { log: id(log), range: from.value()..to.value() }
            }
            Self::Jump { log, from, to } => {
                Op::Jump { log: id(log), range: from.value()..to.value() }
            }
            Self::WeaklySynced { log, weak } => Op::WeaklySynced { log: id(log), weak },
            Self::Seeked { stream, delivery, cursor } => {
                let (stream, delivery) = of(stream, delivery);
                Op::Seeked { stream, delivery, cursor: cursor.value() }
            }
            Self::Lost { stream, delivery, from, to } => {
                let (stream, delivery) = of(stream, delivery);
                Op::Lost { stream, delivery, range: from.value()..to.value() }
            }
        }
    }
}

/// Appends an operation, with `more` behind its fields as a later version may write it.
pub fn push_op(out: &mut Vec<u8>, op: &Op, more: &[u8]) {
    let mut fields = Vec::new();
    let tag = match op {
        Op::DeliveryCreated { stream, delivery, name, cursor } => {
            push_delivery(&mut fields, *stream, *delivery);
            fields.extend_from_slice(&cursor.to_le_bytes());
            fields.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            fields.extend_from_slice(name.as_bytes());
            1
        }
        Op::DeliveryRemoved { stream, delivery } => {
            push_delivery(&mut fields, *stream, *delivery);
            2
        }
        Op::Settled { stream, delivery, range } => {
            push_delivery(&mut fields, *stream, *delivery);
            fields.extend_from_slice(&range.start.to_le_bytes());
            fields.extend_from_slice(&range.end.to_le_bytes());
            3
        }
        Op::Attempt { stream, delivery, seq, attempt, failures, suspect } => {
            push_delivery(&mut fields, *stream, *delivery);
            fields.extend_from_slice(&seq.to_le_bytes());
            fields.extend_from_slice(&attempt.to_le_bytes());
            fields.extend_from_slice(&failures.to_le_bytes());
            fields.push((*suspect).into());
            4
        }
        Op::SegmentsDeleted { log, numbers } => {
            push_range(&mut fields, *log, numbers);
            5
        }
        Op::StreamRemoved { stream } => {
            fields.extend_from_slice(&stream.0);
            6
        }
        Op::Gap { log, range } => {
            push_range(&mut fields, *log, range);
            7
        }
        Op::Jump { log, range } => {
            push_range(&mut fields, *log, range);
            8
        }
        Op::WeaklySynced { log, weak } => {
            fields.extend_from_slice(&log.0);
            fields.push((*weak).into());
            17
        }
        Op::Seeked { stream, delivery, cursor } => {
            push_delivery(&mut fields, *stream, *delivery);
            fields.extend_from_slice(&cursor.to_le_bytes());
            18
        }
        Op::Lost { stream, delivery, range } => {
            push_delivery(&mut fields, *stream, *delivery);
            fields.extend_from_slice(&range.start.to_le_bytes());
            fields.extend_from_slice(&range.end.to_le_bytes());
            9
        }
    };
    fields.extend_from_slice(more);
    push_tagged(out, tag, &fields);
}

/// Appends any tag with any fields.
pub fn push_tagged(out: &mut Vec<u8>, tag: u8, fields: &[u8]) {
    let fields = &fields[..fields.len().min(usize::from(u16::MAX))];
    out.push(tag);
    out.extend_from_slice(&u16::try_from(fields.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(fields);
}

fn push_range(out: &mut Vec<u8>, log: StreamId, range: &Range<u64>) {
    out.extend_from_slice(&log.0);
    out.extend_from_slice(&range.start.to_le_bytes());
    out.extend_from_slice(&range.end.to_le_bytes());
}

fn push_delivery(out: &mut Vec<u8>, stream: StreamId, delivery: DeliveryId) {
    out.extend_from_slice(&stream.0);
    out.extend_from_slice(&delivery.0.to_le_bytes());
}

/// Fields of a file's header.
#[derive(Debug, Clone, Copy)]
pub struct File {
    pub snapshot: bool,
    pub volume: [u8; 16],
    pub number: u64,
    pub salt: u64,
    /// Batches in the journal before, and the checksum of the last of them.
    pub previous: (u64, u32),
}

impl File {
    /// The header's bytes, and the link of the first batch.
    #[must_use]
    pub fn bytes(&self) -> (Vec<u8>, u32) {
        let mut out = vec![0; 512];
        out[..8].copy_from_slice(if self.snapshot { b"LBsnapsh" } else { b"LBjournl" });
        out[8..10].copy_from_slice(&1_u16.to_le_bytes());
        out[16..32].copy_from_slice(&self.volume);
        out[32..40].copy_from_slice(&self.number.to_le_bytes());
        out[40..48].copy_from_slice(&self.salt.to_le_bytes());
        out[48..56].copy_from_slice(&self.previous.0.to_le_bytes());
        out[56..60].copy_from_slice(&self.previous.1.to_le_bytes());
        let sum = crc32c::crc32c(&out[..508]);
        out[508..].copy_from_slice(&sum.to_le_bytes());
        (out, crc32c::crc32c(&self.salt.to_le_bytes()))
    }
}

/// Fields of a batch's header.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    pub count: u32,
    pub number: u64,
    pub synced: u64,
    pub link: u32,
}

/// Appends a batch of encoded operations; returns its checksum, the next one's link.
pub fn push_batch(out: &mut Vec<u8>, salt: u64, batch: Batch, ops: &[u8]) -> u32 {
    let mut body = ops.to_vec();
    body.resize(ops.len().next_multiple_of(8), 0);
    let mut header = Vec::new();
    header.extend_from_slice(&u32::try_from(ops.len()).unwrap_or(u32::MAX).to_le_bytes());
    header.extend_from_slice(&batch.count.to_le_bytes());
    header.extend_from_slice(&batch.number.to_le_bytes());
    header.extend_from_slice(&batch.synced.to_le_bytes());
    header.extend_from_slice(&batch.link.to_le_bytes());
    header.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    let sum = salted(salt, &header);
    out.extend_from_slice(b"LBjb");
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(&body);
    sum
}
