//! The token of a hand-out: opaque to the application, self-describing to the sidecar.
//!
//! Nothing is stored for a token, and it works across restarts of the sidecar. The checksum finds
//! damage and tokens of something else; it is no signature: who can reach the socket can settle.

use crate::delivery::LeaseKey;

/// 16 random bytes from when a stream's directory was created.
pub type StreamId = [u8; 16];

/// Bytes of a token: stream id, delivery id (u32), epoch (u64), seq (u64), attempt (u32), and the
/// CRC-32C of all that (u32); integers little-endian.
pub const TOKEN_LEN: usize = 44;

/// Where the checksum starts.
const CHECKED: usize = TOKEN_LEN - 4;

/// The delivery that tokens belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The stream's id.
    pub stream: StreamId,
    /// The delivery's number within the stream, never used again for another.
    pub delivery: u32,
}

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Whose it is.
    pub origin: Origin,
    /// The hand-out that it stands for.
    pub lease: LeaseKey,
}

impl Token {
    /// The token's bytes.
    pub fn encode(&self) -> [u8; TOKEN_LEN] {
        let mut bytes = [0; TOKEN_LEN];
        bytes[..16].copy_from_slice(&self.origin.stream);
        bytes[16..20].copy_from_slice(&self.origin.delivery.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.lease.epoch.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.lease.seq.to_le_bytes());
        bytes[36..CHECKED].copy_from_slice(&self.lease.attempt.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..CHECKED]);
        bytes[CHECKED..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads a token; `None` when it is not exactly one, or its checksum is wrong.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; TOKEN_LEN] = bytes.try_into().ok()?;
        let (checked, checksum) = bytes.split_at(CHECKED);
        if checksum != crc32c::crc32c(checked).to_le_bytes() {
            return None;
        }
        let (stream, rest) = checked.split_first_chunk()?;
        let (delivery, rest) = rest.split_first_chunk()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let (seq, attempt) = rest.split_first_chunk()?;
        Some(Self {
            origin: Origin { stream: *stream, delivery: u32::from_le_bytes(*delivery) },
            lease: LeaseKey {
                epoch: u64::from_le_bytes(*epoch),
                seq: u64::from_le_bytes(*seq),
                attempt: u32::from_le_bytes(attempt.try_into().ok()?),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token() -> impl Strategy<Value = Token> {
        (any::<StreamId>(), any::<u32>(), any::<u64>(), any::<u64>(), any::<u32>()).prop_map(
            |(stream, delivery, epoch, seq, attempt)| Token {
                origin: Origin { stream, delivery },
                lease: LeaseKey { epoch, seq, attempt },
            },
        )
    }

    #[test]
    fn the_layout_does_not_change() {
        let token = Token {
            origin: Origin { stream: *b"0123456789abcdef", delivery: 1 },
            lease: LeaseKey { epoch: 2, seq: 3, attempt: 4 },
        };
        let mut expected =
            b"0123456789abcdef\x01\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x04\0\0\0".to_vec();
        expected.extend(crc32c::crc32c(&expected).to_le_bytes());
        assert_eq!(token.encode().as_slice(), expected);
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(token in token()) {
            prop_assert_eq!(Token::decode(&token.encode()), Some(token));
        }

        #[test]
        fn a_changed_bit_is_noticed(token in token(), bit in 0..TOKEN_LEN * 8) {
            let mut bytes = token.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Token::decode(&bytes), None);
        }

        #[test]
        fn other_bytes_are_no_token(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(Token::decode(&bytes), None);
        }
    }
}
