//! What one peer may make us hold. Every limit is checked on the announcement, before any byte of
//! the frame is stored.

/// Longest command body, READY included, in bytes.
pub const MAX_COMMAND: u64 = 4 << 10;
/// Most metadata properties in one READY.
pub const MAX_PROPERTIES: usize = 32;
/// Longest Identity property, in bytes (RFC 37).
pub const MAX_IDENTITY: usize = 255;
/// Longest PING context, in bytes (RFC 37).
pub const MAX_PING_CONTEXT: usize = 16;

/// A message over `max_message_size` is skipped up to this many times that size.
const HARD_CAP_FACTOR: u64 = 4;
/// Nothing over this is skipped, whatever `max_message_size` is.
const HARD_CAP: u64 = 64 << 20;
/// Positions in a read buffer are `u32`, so a message must stay well below 4 GiB.
const LARGEST_MESSAGE: u64 = 1 << 30;

/// What happens to a message over `max_message_size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oversize {
    /// The connection is closed.
    Close,
    /// The message is read past without storing it and reported in order with the others, so that
    /// the caller can answer. Over the hard cap the connection is closed all the same.
    Skip,
}

/// Limits on the messages of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    max_message_size: u64,
    max_parts: u32,
    oversize: Oversize,
}

impl Limits {
    /// 4 MiB a message, 1,024 frames, oversize closes.
    pub const DEFAULT: Self =
        Self { max_message_size: 4 << 20, max_parts: 1024, oversize: Oversize::Close };

    /// The largest sum of a message's frame bodies, in bytes. More than 1 GiB counts as 1 GiB.
    #[must_use]
    pub fn with_max_message_size(self, bytes: u64) -> Self {
        Self { max_message_size: bytes.min(LARGEST_MESSAGE), ..self }
    }

    /// The most frames that a message may have.
    #[must_use]
    pub fn with_max_parts(self, parts: u32) -> Self {
        Self { max_parts: parts, ..self }
    }

    /// What happens to a message over the size limit.
    #[must_use]
    pub fn with_oversize(self, oversize: Oversize) -> Self {
        Self { oversize, ..self }
    }

    /// The largest sum of a message's frame bodies, in bytes.
    pub fn max_message_size(&self) -> u64 {
        self.max_message_size
    }

    /// The most frames that a message may have.
    pub fn max_parts(&self) -> u32 {
        self.max_parts
    }

    /// The size up to which a message is skipped rather than the connection closed, in bytes.
    pub fn hard_cap(&self) -> u64 {
        match self.oversize {
            Oversize::Close => self.max_message_size,
            Oversize::Skip => {
                (self.max_message_size * HARD_CAP_FACTOR).min(HARD_CAP).max(self.max_message_size)
            }
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hard_cap_is_four_times_the_limit_up_to_64_mib_and_never_below_the_limit() {
        let skip = |bytes| {
            Limits::DEFAULT.with_max_message_size(bytes).with_oversize(Oversize::Skip).hard_cap()
        };
        assert_eq!(skip(1 << 20), 4 << 20);
        assert_eq!(skip(32 << 20), 64 << 20);
        assert_eq!(skip(100 << 20), 100 << 20);
        assert_eq!(Limits::DEFAULT.hard_cap(), 4 << 20);
    }
}
