//! The 64 bytes that open a connection (RFC 37, "Greeting").
//!
//! Layout: 0xFF, 8 bytes of padding, 0x7F, major, minor, mechanism (20 bytes, zero padded),
//! as-server, 31 bytes of filler.

use super::reason::CloseReason;

/// Length of a greeting in bytes.
pub const GREETING_LEN: usize = 64;

const SIGNATURE_END: usize = 9;
const MAJOR: usize = 10;
const MINOR: usize = 11;
const MECHANISM: usize = 12;
const MECHANISM_END: usize = 32;

/// The protocol version spoken with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// ZMTP 3.0 (RFC 23): no PING.
    V3_0,
    /// ZMTP 3.1 (RFC 37), and whatever a newer peer falls back to.
    V3_1,
}

impl Version {
    /// "3.0" or "3.1".
    pub const fn name(self) -> &'static str {
        match self {
            Self::V3_0 => "3.0",
            Self::V3_1 => "3.1",
        }
    }
}

/// Our greeting: 3.1, as-server 0 (libzmq leaves it 0 on both sides even for CURVE).
pub fn greeting(mechanism: &str) -> [u8; GREETING_LEN] {
    let mut bytes = [0; GREETING_LEN];
    bytes[0] = 0xff;
    bytes[SIGNATURE_END] = 0x7f;
    bytes[MAJOR] = 3;
    bytes[MINOR] = 1;
    bytes[MECHANISM..MECHANISM_END].copy_from_slice(&padded(mechanism));
    bytes
}

fn padded(mechanism: &str) -> [u8; MECHANISM_END - MECHANISM] {
    let mut field = [0; MECHANISM_END - MECHANISM];
    for (to, from) in field.iter_mut().zip(mechanism.bytes()) {
        *to = from;
    }
    field
}

/// Decodes a peer's greeting as its bytes come and refuses it at the first wrong one.
#[derive(Debug)]
pub struct GreetingDecoder {
    mechanism: [u8; MECHANISM_END - MECHANISM],
    have: usize,
    major: u8,
    minor: u8,
}

impl GreetingDecoder {
    /// A decoder that insists on `mechanism`.
    pub fn new(mechanism: &str) -> Self {
        Self { mechanism: padded(mechanism), have: 0, major: 0, minor: 0 }
    }

    /// Takes what it needs from `bytes`; returns how many bytes that were, and the version once
    /// the greeting is complete.
    ///
    /// # Errors
    /// `NotZmtp`, `OldVersion`, or `Mechanism`, as soon as a byte tells.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<(usize, Option<Version>), CloseReason> {
        let used = bytes.len().min(GREETING_LEN - self.have);
        for &byte in &bytes[..used] {
            self.check(byte)?;
            self.have += 1;
        }
        Ok((used, (self.have == GREETING_LEN).then(|| self.version())))
    }

    fn check(&mut self, byte: u8) -> Result<(), CloseReason> {
        match self.have {
            // An anonymous ZMTP 1.0 peer opens with a one-byte frame: 01 00.
            0 if byte == 1 => Err(CloseReason::OldVersion),
            0 if byte != 0xff => Err(CloseReason::NotZmtp),
            SIGNATURE_END if byte != 0x7f => Err(CloseReason::NotZmtp),
            MAJOR if byte < 3 => Err(CloseReason::OldVersion),
            MAJOR => {
                self.major = byte;
                Ok(())
            }
            MINOR => {
                self.minor = byte;
                Ok(())
            }
            at @ MECHANISM..MECHANISM_END if byte != self.mechanism[at - MECHANISM] => {
                Err(CloseReason::Mechanism)
            }
            // Padding carries a legacy length, as-server means nothing to NULL and filler is to be
            // ignored.
            _ => Ok(()),
        }
    }

    /// RFC 37: a peer of a higher version falls back to ours.
    fn version(&self) -> Version {
        if (self.major, self.minor) == (3, 0) { Version::V3_0 } else { Version::V3_1 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8]) -> Result<(usize, Option<Version>), CloseReason> {
        GreetingDecoder::new("NULL").decode(bytes)
    }

    fn with(at: usize, byte: u8) -> [u8; GREETING_LEN] {
        let mut bytes = greeting("NULL");
        bytes[at] = byte;
        bytes
    }

    #[test]
    fn our_own_is_wire_exact() {
        let mut expected = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 1];
        expected.extend(b"NULL");
        expected.resize(64, 0);
        assert_eq!(greeting("NULL").to_vec(), expected);
        assert_eq!(decode(&expected), Ok((64, Some(Version::V3_1))));
    }

    #[test]
    fn refused_at_the_byte_that_tells() {
        assert_eq!(decode(b"G"), Err(CloseReason::NotZmtp));
        assert_eq!(decode(&[0x16, 3, 1]), Err(CloseReason::NotZmtp), "TLS");
        assert_eq!(decode(&[1, 0]), Err(CloseReason::OldVersion), "ZMTP 1.0");
        assert_eq!(decode(&[0xff; 10]), Err(CloseReason::NotZmtp));
        let two = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1];
        assert_eq!(decode(&two), Err(CloseReason::OldVersion), "ZMTP 2.0");
        assert_eq!(decode(&with(12, b'C')[..13]), Err(CloseReason::Mechanism));
        assert_eq!(decode(&with(16, b'X')), Err(CloseReason::Mechanism));
    }

    #[test]
    fn versions_above_ours_fall_back() {
        assert_eq!(decode(&with(11, 0)), Ok((64, Some(Version::V3_0))));
        assert_eq!(decode(&with(11, 9)), Ok((64, Some(Version::V3_1))));
        assert_eq!(decode(&with(10, 4)), Ok((64, Some(Version::V3_1))));
        let mut four_zero = with(10, 4);
        four_zero[11] = 0;
        assert_eq!(decode(&four_zero), Ok((64, Some(Version::V3_1))));
    }

    #[test]
    fn leaves_what_follows() {
        let mut bytes = greeting("NULL").to_vec();
        bytes.extend([4, 38]);
        assert_eq!(decode(&bytes), Ok((64, Some(Version::V3_1))));
    }

    proptest! {
        #[test]
        fn any_split_tells_the_same(at in 0usize..64, byte: u8, cut in 0usize..64) {
            let bytes = with(at, byte);
            let whole = decode(&bytes).map(|(_, version)| version);
            let mut decoder = GreetingDecoder::new("NULL");
            let split = decoder.decode(&bytes[..cut]).and_then(|_| decoder.decode(&bytes[cut..]));
            prop_assert_eq!(split.map(|(_, version)| version), whole);
        }
    }
}
