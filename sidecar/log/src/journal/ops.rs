//! Bytes of one operation: tag, length, fields. A later minor version may add fields at the end
//! and tags; both are passed over here.

use super::codec::Input;
use crate::error::LogError;
use crate::ids::{DeliveryId, StreamId};
use crate::state::Op;

/// Longest name of a delivery, in bytes.
const MAX_NAME: u64 = 255;

const DELIVERY_CREATED: u8 = 1;
const DELIVERY_REMOVED: u8 = 2;
const SETTLED: u8 = 3;
const ATTEMPT: u8 = 4;
const SEGMENTS_DELETED: u8 = 5;
const STREAM_REMOVED: u8 = 6;
const GAP: u8 = 7;
const JUMP: u8 = 8;
const LOST: u8 = 9;
// 10 to 16 are free.
const WEAKLY_SYNCED: u8 = 17;
const SEEKED: u8 = 18;

/// Appends an operation to `out`.
///
/// # Errors
/// `TooLarge` when a delivery's name is.
pub(super) fn encode(out: &mut Vec<u8>, op: &Op) -> Result<(), LogError> {
    let start = out.len();
    // Tag and length; the length is set below.
    out.extend([tag(op), 0, 0]);
    match op {
        Op::DeliveryCreated { stream, delivery, name, cursor } => {
            let len = u8::try_from(name.len())
                .map_err(|_| LogError::TooLarge { size: name.len() as u64, limit: MAX_NAME })?;
            put_delivery(out, *stream, *delivery);
            out.extend(cursor.to_le_bytes());
            out.push(len);
            out.extend(name.as_bytes());
        }
        Op::DeliveryRemoved { stream, delivery } => put_delivery(out, *stream, *delivery),
        Op::Settled { stream, delivery, range } | Op::Lost { stream, delivery, range } => {
            put_delivery(out, *stream, *delivery);
            out.extend(range.start.to_le_bytes());
            out.extend(range.end.to_le_bytes());
        }
        Op::Attempt { stream, delivery, seq, attempt, failures, suspect } => {
            put_delivery(out, *stream, *delivery);
            out.extend(seq.to_le_bytes());
            out.extend(attempt.to_le_bytes());
            out.extend(failures.to_le_bytes());
            out.push(u8::from(*suspect));
        }
        Op::SegmentsDeleted { log, numbers } => {
            out.extend(log.0);
            out.extend(numbers.start.to_le_bytes());
            out.extend(numbers.end.to_le_bytes());
        }
        Op::Seeked { stream, delivery, cursor } => {
            put_delivery(out, *stream, *delivery);
            out.extend(cursor.to_le_bytes());
        }
        Op::WeaklySynced { log, weak } => {
            out.extend(log.0);
            out.push(u8::from(*weak));
        }
        Op::Gap { log, range } | Op::Jump { log, range } => {
            out.extend(log.0);
            out.extend(range.start.to_le_bytes());
            out.extend(range.end.to_le_bytes());
        }
        Op::StreamRemoved { stream } => out.extend(stream.0),
    }
    let len = out.len() - start - 3;
    let len = u16::try_from(len)
        .map_err(|_| LogError::TooLarge { size: len as u64, limit: u16::MAX.into() })?;
    if let Some(field) = out.get_mut(start + 1..start + 3) {
        field.copy_from_slice(&len.to_le_bytes());
    }
    Ok(())
}

fn tag(op: &Op) -> u8 {
    match op {
        Op::DeliveryCreated { .. } => DELIVERY_CREATED,
        Op::DeliveryRemoved { .. } => DELIVERY_REMOVED,
        Op::Settled { .. } => SETTLED,
        Op::Attempt { .. } => ATTEMPT,
        Op::SegmentsDeleted { .. } => SEGMENTS_DELETED,
        Op::WeaklySynced { .. } => WEAKLY_SYNCED,
        Op::Seeked { .. } => SEEKED,
        Op::StreamRemoved { .. } => STREAM_REMOVED,
        Op::Gap { .. } => GAP,
        Op::Jump { .. } => JUMP,
        Op::Lost { .. } => LOST,
    }
}

fn put_delivery(out: &mut Vec<u8>, stream: StreamId, delivery: DeliveryId) {
    out.extend(stream.0);
    out.extend(delivery.0.to_le_bytes());
}

/// Reads `count` operations and zeros up to the end; `None` if `body` holds anything else.
pub(super) fn decode(body: &[u8], count: u32) -> Option<Vec<Op>> {
    let mut input = Input(body);
    let mut ops = Vec::new();
    for _ in 0..count {
        let tag = input.u8()?;
        let len = input.u16()?;
        let fields = Input(input.take(len.into())?);
        match tag {
            DELIVERY_CREATED..=LOST | WEAKLY_SYNCED..=SEEKED => {
                ops.push(decode_fields(tag, fields)?);
            }
            0 => return None,
            _ => {}
        }
    }
    input.0.iter().all(|&byte| byte == 0).then_some(ops)
}

fn decode_fields(tag: u8, mut input: Input<'_>) -> Option<Op> {
    let stream = StreamId(input.array()?);
    Some(match tag {
        SEGMENTS_DELETED => {
            Op::SegmentsDeleted { log: stream, numbers: input.u64()?..input.u64()? }
        }
        WEAKLY_SYNCED => Op::WeaklySynced { log: stream, weak: input.u8()? & 1 == 1 },
        STREAM_REMOVED => Op::StreamRemoved { stream },
        GAP => Op::Gap { log: stream, range: input.u64()?..input.u64()? },
        JUMP => Op::Jump { log: stream, range: input.u64()?..input.u64()? },
        _ => {
            let delivery = DeliveryId(input.u32()?);
            decode_delivery(tag, stream, delivery, input)?
        }
    })
}

fn decode_delivery(
    tag: u8,
    stream: StreamId,
    delivery: DeliveryId,
    mut input: Input<'_>,
) -> Option<Op> {
    Some(match tag {
        DELIVERY_CREATED => {
            let cursor = input.u64()?;
            let len = input.u8()?;
            let name = String::from_utf8(input.take(len.into())?.to_vec()).ok()?;
            Op::DeliveryCreated { stream, delivery, name, cursor }
        }
        DELIVERY_REMOVED => Op::DeliveryRemoved { stream, delivery },
        SEEKED => Op::Seeked { stream, delivery, cursor: input.u64()? },
        SETTLED => Op::Settled { stream, delivery, range: input.u64()?..input.u64()? },
        LOST => Op::Lost { stream, delivery, range: input.u64()?..input.u64()? },
        ATTEMPT => Op::Attempt {
            stream,
            delivery,
            seq: input.u64()?,
            attempt: input.u32()?,
            failures: input.u32()?,
            suspect: input.u8()? & 1 == 1,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;

    fn any_op() -> impl Strategy<Value = Op> {
        let stream = any::<[u8; 16]>().prop_map(StreamId);
        let target =
            (any::<[u8; 16]>(), any::<u32>()).prop_map(|(s, d)| (StreamId(s), DeliveryId(d)));
        prop_oneof![
            (target.clone(), ".{0,60}", any::<u64>()).prop_map(
                |((stream, delivery), name, cursor)| {
                    Op::DeliveryCreated { stream, delivery, name, cursor }
                }
            ),
            target.clone().prop_map(|(stream, delivery)| Op::DeliveryRemoved { stream, delivery }),
            (target.clone(), any::<Range<u64>>())
                .prop_map(|((stream, delivery), range)| Op::Settled { stream, delivery, range }),
            (target.clone(), any::<u64>()).prop_map(|((stream, delivery), cursor)| {
                Op::Seeked { stream, delivery, cursor }
            }),
            (target, any::<(u64, u32, u32, bool)>()).prop_map(
                |((stream, delivery), (seq, attempt, failures, suspect))| {
                    Op::Attempt { stream, delivery, seq, attempt, failures, suspect }
                }
            ),
            (stream.clone(), any::<Range<u64>>())
                .prop_map(|(log, numbers)| Op::SegmentsDeleted { log, numbers }),
            (stream.clone(), any::<Range<u64>>(), any::<bool>()).prop_map(|(log, range, gap)| {
                if gap { Op::Gap { log, range } } else { Op::Jump { log, range } }
            }),
            (any::<[u8; 16]>(), any::<u32>(), any::<Range<u64>>()).prop_map(|(s, d, range)| {
                Op::Lost { stream: StreamId(s), delivery: DeliveryId(d), range }
            }),
            (stream.clone(), any::<bool>()).prop_map(|(log, weak)| Op::WeaklySynced { log, weak }),
            stream.prop_map(|stream| Op::StreamRemoved { stream }),
        ]
    }

    proptest! {
        #[test]
        fn operations_read_back(ops in prop::collection::vec(any_op(), 0..20), padding in 0usize..8) {
            let mut bytes = Vec::new();
            for op in &ops {
                encode(&mut bytes, op).unwrap();
            }
            bytes.resize(bytes.len() + padding, 0);
            let count = u32::try_from(ops.len()).unwrap();
            prop_assert_eq!(decode(&bytes, count), Some(ops));
        }

        #[test]
        fn no_bytes_make_the_decoder_fail_otherwise(bytes in prop::collection::vec(any::<u8>(), 0..200), count in any::<u32>()) {
            let _ = decode(&bytes, count);
        }
    }

    #[test]
    fn later_minor_versions_may_add_operations_and_fields() {
        let stream = StreamId([1; 16]);
        let mut bytes = vec![200, 1, 0, 77];
        let start = bytes.len();
        encode(&mut bytes, &Op::DeliveryRemoved { stream, delivery: DeliveryId(1) }).unwrap();
        bytes[start + 1] += 1;
        bytes.push(9);
        let known = Op::DeliveryRemoved { stream, delivery: DeliveryId(1) };
        assert_eq!(decode(&bytes, 2), Some(vec![known]));
    }

    #[test]
    fn a_name_that_is_too_long_is_refused() {
        let (stream, delivery, cursor) = (StreamId([1; 16]), DeliveryId(1), 0);
        let op = |len| Op::DeliveryCreated { stream, delivery, name: "x".repeat(len), cursor };
        assert!(encode(&mut Vec::new(), &op(255)).is_ok());
        let refused = encode(&mut Vec::new(), &op(256));
        assert!(matches!(refused, Err(LogError::TooLarge { size: 256, limit: 255 })));
    }
}
