//! The token of a hand-out: opaque to the application, self-describing to the sidecar.
//!
//! Nothing is stored for a token, and it works across restarts of the sidecar. The checksum finds
//! damage and tokens of something else; it is no signature: who can reach the socket can settle.

use crate::delivery::LeaseKey;

/// The part of a stream's id that a token has.
pub type StreamMark = [u8; 6];

/// 16 random bytes from when a stream's directory was created.
pub type StreamId = [u8; 16];

/// Bytes of a token: six bytes of the stream id, delivery id (u32), epoch (48 bits), seq (u64),
/// attempt (u32), and the CRC-32C of all that (u32); integers little-endian.
///
/// libzmq keeps up to 33 bytes of a frame in the message itself and allocates for more, at both
/// ends and for each record. So a token has as much of the stream id, which is random, as tells
/// streams apart.
pub const TOKEN_LEN: usize = 32;

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
    /// The first bytes of its stream's id.
    pub stream: StreamMark,
    /// The delivery's number within the stream.
    pub delivery: u32,
    /// The hand-out that it stands for. An epoch above 48 bits is cut: its records can still be
    /// acknowledged, and their other verdicts are taken for late ones.
    pub lease: LeaseKey,
}

impl Token {
    /// The token of a hand-out of `origin`.
    pub fn new(origin: Origin, lease: LeaseKey) -> Self {
        Self { stream: mark(origin.stream), delivery: origin.delivery, lease }
    }

    /// Whether it was given out by `origin`.
    pub fn is_of(&self, origin: Origin) -> bool {
        (self.stream, self.delivery) == (mark(origin.stream), origin.delivery)
    }

    /// The token's bytes.
    pub fn encode(&self) -> [u8; TOKEN_LEN] {
        let mut bytes = [0; TOKEN_LEN];
        bytes[..6].copy_from_slice(&self.stream);
        bytes[6..10].copy_from_slice(&self.delivery.to_le_bytes());
        bytes[10..16].copy_from_slice(&self.lease.epoch.to_le_bytes()[..6]);
        bytes[16..24].copy_from_slice(&self.lease.seq.to_le_bytes());
        bytes[24..CHECKED].copy_from_slice(&self.lease.attempt.to_le_bytes());
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
        let (epoch, rest) = rest.split_first_chunk::<6>()?;
        let mut whole = [0; 8];
        whole[..6].copy_from_slice(epoch);
        let (seq, attempt) = rest.split_first_chunk()?;
        Some(Self {
            stream: *stream,
            delivery: u32::from_le_bytes(*delivery),
            lease: LeaseKey {
                epoch: u64::from_le_bytes(whole),
                seq: u64::from_le_bytes(*seq),
                attempt: u32::from_le_bytes(attempt.try_into().ok()?),
            },
        })
    }
}

fn mark(stream: StreamId) -> StreamMark {
    std::array::from_fn(|at| stream[at])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORIGIN: Origin = Origin { stream: *b"0123456789abcdef", delivery: 1 };

    fn token() -> impl Strategy<Value = Token> {
        (any::<StreamId>(), any::<u32>(), 0..1u64 << 48, any::<u64>(), any::<u32>()).prop_map(
            |(stream, delivery, epoch, seq, attempt)| {
                let lease = LeaseKey { epoch, seq, attempt };
                Token::new(Origin { stream, delivery }, lease)
            },
        )
    }

    #[test]
    fn the_layout_does_not_change() {
        let token = Token::new(ORIGIN, LeaseKey { epoch: 2, seq: 3, attempt: 4 });
        let mut expected = b"012345\x01\0\0\0\x02\0\0\0\0\0\x03\0\0\0\0\0\0\0\x04\0\0\0".to_vec();
        expected.extend(crc32c::crc32c(&expected).to_le_bytes());
        assert_eq!(token.encode().as_slice(), expected);
    }

    #[test]
    fn a_token_is_of_one_delivery_of_one_stream() {
        let token = Token::new(ORIGIN, LeaseKey { epoch: 2, seq: 3, attempt: 4 });
        assert!(token.is_of(ORIGIN));
        assert!(!token.is_of(Origin { delivery: 2, ..ORIGIN }));
        assert!(!token.is_of(Origin { stream: *b"1123456789abcdef", ..ORIGIN }));
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
