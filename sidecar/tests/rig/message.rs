//! The messages of the rig: each names its submission, and a checksum covers every byte.

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

/// Bytes of the first frame.
const HEADER_LEN: usize = 28;
/// Where its checksum starts.
const CHECKED: usize = HEADER_LEN - 4;

/// One sending of one message. A message that got no receipt is sent again: same producer and
/// number, another copy. No two sendings are alike, so each can be stored once at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Submission {
    /// Who sends.
    pub(crate) producer: u32,
    /// Which of its messages, from 0.
    pub(crate) number: u64,
    /// Which sending of it, from 0.
    pub(crate) copy: u32,
}

impl Submission {
    /// The frames of its body: producer (u32), number (u64), copy (u32), starts of the sidecar so
    /// far (u32, a hint for whoever reads a failure), length of the padding (u32), CRC-32C of all
    /// that and of the padding (u32), little-endian; then the padding.
    pub(crate) fn encode(self, boot: u32, padding: usize) -> [Vec<u8>; 2] {
        let mut noise = vec![0; padding];
        SmallRng::seed_from_u64(self.number ^ u64::from(self.producer)).fill_bytes(&mut noise);
        let mut header = Vec::with_capacity(HEADER_LEN);
        header.extend(self.producer.to_le_bytes());
        header.extend(self.number.to_le_bytes());
        header.extend(self.copy.to_le_bytes());
        header.extend(boot.to_le_bytes());
        header.extend(u32::try_from(padding).unwrap().to_le_bytes());
        header.extend(checksum(&header, &noise).to_le_bytes());
        [header, noise]
    }

    /// Reads a body; `None` when a byte of it is not as it was sent.
    pub(crate) fn decode(body: &[Vec<u8>]) -> Option<Self> {
        let [header, padding] = body else { return None };
        let (checked, sum) = header.split_at_checked(CHECKED)?;
        if sum != checksum(checked, padding).to_le_bytes() {
            return None;
        }
        let (producer, rest) = checked.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let copy = rest.first_chunk()?;
        Some(Self {
            producer: u32::from_le_bytes(*producer),
            number: u64::from_le_bytes(*number),
            copy: u32::from_le_bytes(*copy),
        })
    }
}

fn checksum(header: &[u8], padding: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(header), padding)
}

#[test]
fn a_message_is_read_as_it_was_sent_or_not_at_all() {
    let submission = Submission { producer: 1, number: 2, copy: 3 };
    for padding in [0, 5] {
        let body = submission.encode(4, padding);
        assert_eq!(Submission::decode(&body), Some(submission));
        for (frame, byte) in [(0, 0), (0, 16), (0, 27), (1, 4)] {
            let mut damaged = body.clone();
            if let Some(byte) = damaged[frame].get_mut(byte) {
                *byte ^= 1;
                assert_eq!(Submission::decode(&damaged), None);
            }
        }
    }
    let [header, padding] = submission.encode(4, 5);
    assert_eq!(Submission::decode(&[header.clone(), padding[1..].to_vec()]), None);
    assert_eq!(Submission::decode(&[header]), None);
}
