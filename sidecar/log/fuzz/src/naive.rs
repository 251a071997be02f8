//! Decodes segments by FORMAT.md: what valid batches say, and nothing about damage.

use crate::format::{BATCH_HEADER, Batch, RECORDS, SEAL, SEGMENT_HEADER, salted};

/// A record: its seq and its payload.
pub type Record = (u64, Vec<u8>);

/// A valid batch: its header, its checksum, its length on disk, its records.
struct Valid {
    header: Batch,
    sum: u32,
    len: usize,
    records: Vec<Record>,
}

/// The records of all valid batches up to the first place where none continues the one before.
#[must_use]
pub fn in_order(file: &[u8], base_seq: u64, salt: u64, sum: u32) -> Vec<Record> {
    let (mut found, mut at, mut seq, mut chain, mut time) =
        (Vec::new(), SEGMENT_HEADER, base_seq, sum, 0);
    while let Some(valid) = file.get(at..).and_then(|rest| batch(rest, salt)) {
        let header = valid.header;
        let continues = header.chain == chain && header.first_seq == seq && header.time >= time;
        if !continues || header.kind == SEAL {
            break;
        }
        found.extend(valid.records);
        (chain, time) = (valid.sum, header.time);
        seq += u64::from(header.count);
        at += valid.len;
    }
    found
}

/// The records of all valid batches, wherever they are.
#[must_use]
pub fn anywhere(file: &[u8], salt: u64) -> Vec<Record> {
    let places = (SEGMENT_HEADER..file.len()).step_by(8);
    places.filter_map(|at| Some(batch(&file[at..], salt)?.records)).flatten().collect()
}

/// Whether the last bytes of the file are a seal of it.
#[must_use]
pub fn sealed(file: &[u8], salt: u64) -> bool {
    let Some(at) = file.len().checked_sub(BATCH_HEADER + 16) else { return false };
    let seal = batch(&file[at..], salt).filter(|valid| valid.header.kind == SEAL);
    seal.is_some() && number(&file[at..], 72, 8) == Some(at as u64)
}

/// A little-endian number of `len` bytes.
fn number(bytes: &[u8], at: usize, len: usize) -> Option<u64> {
    let mut field = [0; 8];
    field.get_mut(..len)?.copy_from_slice(bytes.get(at..at + len)?);
    Some(u64::from_le_bytes(field))
}

fn batch(bytes: &[u8], salt: u64) -> Option<Valid> {
    let short = |at, len| number(bytes, at, len).and_then(|field| u32::try_from(field).ok());
    let header = Batch {
        kind: u16::try_from(number(bytes, 8, 2)?).ok()?,
        count: short(12, 4)?,
        first_seq: number(bytes, 16, 8)?,
        time: number(bytes, 24, 8)?,
        chain: short(32, 4)?,
        table_sum: short(36, 4)?,
        payload_len: short(40, 4)?,
        durable_end: number(bytes, 48, 8)?,
        ids_len: short(44, 4)?,
        ids_sum: short(56, 4)?,
    };
    let sum = salted(salt, bytes.get(8..BATCH_HEADER)?);
    let (table, payloads) = (header.count as usize * 8, header.payload_len as usize);
    let ids = table + payloads..table + payloads + header.ids_len as usize;
    let body = ids.end.next_multiple_of(8);
    let intact = bytes.starts_with(b"LBB1")
        && short(4, 4)? == sum
        && header.kind <= SEAL
        && number(bytes, 10, 2)? == 8
        && body <= (64 << 20) + (64 << 10)
        && header.first_seq.checked_add(header.count.into()).is_some();
    let body = bytes.get(BATCH_HEADER..BATCH_HEADER + body).filter(|_| intact)?;
    let len = BATCH_HEADER + body.len();
    let records = if header.kind == RECORDS {
        let payloads = body.get(table..ids.start)?;
        if !ids_are_whole(&header, body.get(ids)?) {
            return None;
        }
        records(&header, body.get(..table)?, payloads)?
    } else {
        let payload = body.get(..payloads)?;
        (crc32c::crc32c(payload) == header.table_sum).then(Vec::new)?
    };
    Some(Valid { header, sum, len, records })
}

/// Whether these are rows of ids of the batch's records, in order.
fn ids_are_whole(header: &Batch, ids: &[u8]) -> bool {
    let rows: Vec<_> =
        ids.chunks(36).map(|row| number(row, 0, 4).filter(|_| row.len() == 36)).collect();
    crc32c::crc32c(ids) == header.ids_sum
        && rows.is_sorted_by(|row, next| row < next)
        && rows.iter().all(|row| row.is_some_and(|index| index < header.count.into()))
}

fn records(header: &Batch, table: &[u8], mut payloads: &[u8]) -> Option<Vec<Record>> {
    if crc32c::crc32c(table) != header.table_sum {
        return None;
    }
    let mut records = Vec::new();
    for (row, seq) in table.chunks_exact(8).zip(header.first_seq..) {
        let len = usize::try_from(number(row, 0, 4)?).ok()?;
        let (payload, rest) = payloads.split_at_checked(len)?;
        if u64::from(crc32c::crc32c(payload)) != number(row, 4, 4)? {
            return None;
        }
        records.push((seq, payload.to_vec()));
        payloads = rest;
    }
    payloads.is_empty().then_some(records)
}
