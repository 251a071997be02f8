//! Names that outlive a process: of volumes, streams and deliveries.
//!
//! They are random or counted, never derived from a user's names, so that something deleted and
//! made anew is told apart from what it replaces.

use std::fmt;
use std::io;
use std::str::FromStr;

use rand::TryRngCore;
use rand::rngs::OsRng;

/// `text` is not 32 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is 32 hex digits")]
pub struct InvalidId;

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Shown, and read back, as 32 lower-case hex digits.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// A new id from the operating system's random source.
            pub fn random() -> io::Result<Self> {
                let mut bytes = [0; 16];
                OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
                Ok(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if text.len() != 32 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return Err(InvalidId);
                }
                let number = u128::from_str_radix(text, 16).map_err(|_| InvalidId)?;
                Ok(Self(number.to_be_bytes()))
            }
        }
    };
}

random_id! {
    /// One data directory, whatever pod or path it is mounted in (`logId` in the custom resource).
    VolumeId
}

random_id! {
    /// One stream, from the creation of its directory to its removal.
    StreamId
}

/// A number that no other file has, to seed the checksums in a file: bytes of another file, or of
/// an earlier one in the same place, then never pass for its own.
pub fn random_salt() -> io::Result<u64> {
    OsRng.try_next_u64().map_err(io::Error::other)
}

/// One delivery of a stream, counted from 1 within the stream and never given out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u32);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_is_shown() {
        let id = StreamId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(format!("{id:?}"), "StreamId(000102030405060708090a0b0c0d0eff)");
    }

    #[test]
    fn anything_but_32_hex_digits_is_refused() {
        for text in [
            "",
            "0",
            &"0".repeat(31),
            &"0".repeat(33),
            &"g".repeat(32),
            &format!("+{}", "0".repeat(31)),
        ] {
            assert_eq!(text.parse::<VolumeId>(), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn random_ids_differ() {
        assert_ne!(VolumeId::random().unwrap(), VolumeId::random().unwrap());
    }
}
