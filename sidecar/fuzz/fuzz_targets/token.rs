//! The token of a hand-out: what decodes is exactly what was encoded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat_sidecar::delivery::LeaseKey;
use lifeboat_sidecar::wire::token::{Origin, StreamId, Token};

fuzz_target!(|input: (StreamId, u32, u64, u64, u32, u16, &[u8])| {
    let (stream, delivery, epoch, seq, attempt, flip, bytes) = input;
    if let Some(token) = Token::decode(bytes) {
        assert_eq!(token.encode(), bytes);
    }
    let lease = LeaseKey { epoch: epoch & ((1 << 48) - 1), seq, attempt };
    let token = Token::new(Origin { stream, delivery }, lease);
    let mut encoded = token.encode();
    assert_eq!(Token::decode(&encoded), Some(token));
    encoded[usize::from(flip / 8) % encoded.len()] ^= 1 << (flip % 8);
    assert_eq!(Token::decode(&encoded), None, "one flipped bit is always noticed");
});
