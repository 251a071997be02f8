//! Segments and their batches by FORMAT.md. Fields are whatever they are given, checksums are right.

/// Bytes of a segment's header.
pub const SEGMENT_HEADER: usize = 4096;
/// Bytes of a batch's header.
pub const BATCH_HEADER: usize = 64;
/// Kinds of a batch.
pub const RECORDS: u16 = 0;
/// See [`RECORDS`].
pub const MARKER: u16 = 1;
/// See [`RECORDS`].
pub const SEAL: u16 = 2;

/// The checksum of the salt followed by `bytes`.
#[must_use]
pub fn salted(salt: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), bytes)
}

/// Fields of a segment's header; the rest is what a first segment has.
#[derive(Debug, Clone, Copy)]
pub struct Segment {
    pub log: [u8; 16],
    pub number: u64,
    pub base_seq: u64,
    pub salt: u64,
    pub len: u64,
}

impl Segment {
    /// The header's block and its checksum.
    #[must_use]
    pub fn bytes(&self) -> (Vec<u8>, u32) {
        let mut out = vec![0; SEGMENT_HEADER];
        out[..8].copy_from_slice(b"LBSEGMNT");
        out[8..10].copy_from_slice(&1_u16.to_le_bytes());
        out[16..20].copy_from_slice(&4096_u32.to_le_bytes());
        out[24..40].copy_from_slice(&self.log);
        out[40..48].copy_from_slice(&self.number.to_le_bytes());
        out[48..56].copy_from_slice(&self.base_seq.to_le_bytes());
        out[80..88].copy_from_slice(&self.salt.to_le_bytes());
        out[88..96].copy_from_slice(&self.len.to_le_bytes());
        let sum = salted(0, &out[..96]);
        out[96..100].copy_from_slice(&sum.to_le_bytes());
        (out, sum)
    }
}

/// Fields of a batch's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    pub kind: u16,
    pub count: u32,
    pub first_seq: u64,
    pub time: u64,
    pub chain: u32,
    pub table_sum: u32,
    pub payload_len: u32,
    pub durable_end: u64,
    pub ids_len: u32,
    pub ids_sum: u32,
}

impl Batch {
    /// The header's bytes and its checksum.
    #[must_use]
    pub fn bytes(&self, salt: u64) -> ([u8; BATCH_HEADER], u32) {
        let mut out = [0; BATCH_HEADER];
        out[..4].copy_from_slice(b"LBB1");
        out[8..10].copy_from_slice(&self.kind.to_le_bytes());
        out[10..12].copy_from_slice(&8_u16.to_le_bytes());
        out[12..16].copy_from_slice(&self.count.to_le_bytes());
        out[16..24].copy_from_slice(&self.first_seq.to_le_bytes());
        out[24..32].copy_from_slice(&self.time.to_le_bytes());
        out[32..36].copy_from_slice(&self.chain.to_le_bytes());
        out[36..40].copy_from_slice(&self.table_sum.to_le_bytes());
        out[40..44].copy_from_slice(&self.payload_len.to_le_bytes());
        out[44..48].copy_from_slice(&self.ids_len.to_le_bytes());
        out[48..56].copy_from_slice(&self.durable_end.to_le_bytes());
        out[56..60].copy_from_slice(&self.ids_sum.to_le_bytes());
        let sum = salted(salt, &out[8..]);
        out[4..8].copy_from_slice(&sum.to_le_bytes());
        (out, sum)
    }
}

/// The record table and the payloads behind it, without padding.
#[must_use]
pub fn body(payloads: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
    let mut table = Vec::new();
    for payload in payloads {
        table.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        table.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    }
    (table, payloads.concat())
}

/// The bytes of an index file with these entries: seq, position, time.
#[must_use]
pub fn index(salt: u64, entries: &[[u64; 3]]) -> Vec<u8> {
    let bytes: Vec<u8> = entries.iter().flatten().flat_map(|field| field.to_le_bytes()).collect();
    let mut out = b"LBINDEX1".to_vec();
    out.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    out.extend_from_slice(&salted(salt, &bytes).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&bytes);
    out
}
