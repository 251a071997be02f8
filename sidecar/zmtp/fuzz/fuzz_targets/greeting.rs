//! The 64 bytes that open a connection: any bytes, in any pieces, are refused or understood alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat_zmtp::codec::greeting::{GREETING_LEN, GreetingDecoder, greeting};
use lifeboat_zmtp::{CloseReason, Version};

const MECHANISMS: [&str; 3] = ["NULL", "CURVE", "twenty characters it "];

/// The outcome of feeding `pieces`, and how many bytes were used for it.
fn read<'a>(
    mechanism: &str,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (usize, Result<Option<Version>, CloseReason>) {
    let (mut decoder, mut total) = (GreetingDecoder::new(mechanism), 0);
    for piece in pieces {
        match decoder.decode(piece) {
            Ok((used, version)) => {
                assert!(used <= piece.len());
                total += used;
                if version.is_some() {
                    return (total, Ok(version));
                }
                assert_eq!(used, piece.len(), "an unfinished greeting takes all there is");
            }
            Err(reason) => return (0, Err(reason)),
        }
    }
    (total, Ok(None))
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (mechanism, piece, bytes) = input;
    let mechanism = MECHANISMS[usize::from(mechanism) % MECHANISMS.len()];
    let whole = read(mechanism, std::iter::once(bytes));
    assert_eq!(read(mechanism, bytes.chunks(usize::from(piece) + 1)), whole);
    assert_eq!(whole.1.is_ok_and(|version| version.is_some()), whole.0 == GREETING_LEN);

    let ours = greeting(mechanism);
    let own = read(mechanism, std::iter::once(&ours[..]));
    assert_eq!(own, (GREETING_LEN, Ok(Some(Version::V3_1))));
});
