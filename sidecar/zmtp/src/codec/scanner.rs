//! Finds whole messages in the bytes of one connection: one tight pass, in place, resumable.
//!
//! It looks at headers only and stores nothing but positions. A message is refused at the header
//! that breaks a limit, before its bytes are awaited.

use std::ops::Range;

use super::frame::{COMMAND, Header, LONG, MORE};
use super::limits::{Limits, MAX_COMMAND};
use super::reason::CloseReason;

/// Commands may come between the frames of a message and are then cut out by moving the frames
/// before them. No more than this many times the largest message is moved for one message.
const MOVES_PER_MESSAGE: u64 = 16;

/// Why a pass stopped. Positions count from the start of the bytes given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scan {
    /// All bytes were looked at. The next frame is complete once there are `wanted` bytes.
    Starved {
        /// Always more than were given.
        wanted: usize,
    },
    /// As many messages as asked for; call again after taking them.
    Full,
    /// A message that was being skipped has ended; call again after dropping it.
    Skipped,
    /// A whole command frame. Take the messages before it, handle it, then call
    /// [`Scanner::pass_command`]; until then the scanner finds it again.
    Command {
        /// The frame, header included.
        wire: Range<usize>,
        /// Its body.
        body: Range<usize>,
    },
    /// A message over the limit begins here, after those found; it is being skipped.
    TooLarge {
        /// Its complete frames before the one that is too much.
        head: Range<usize>,
    },
}

/// The message that is being skipped.
#[derive(Debug, Clone, Copy)]
struct Skipping {
    /// Bytes still to come of the frame under way.
    remaining: u64,
    /// Whether that is the message's last frame.
    last: bool,
}

/// Scanner of one connection's traffic.
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    /// Where the message under way starts.
    message: usize,
    /// Where its next frame header starts.
    next: usize,
    /// Complete frames of the message under way, and the sum of their bodies.
    parts: u32,
    body: u64,
    skipping: Option<Skipping>,
    /// Bytes moved to cut commands out of the message under way.
    moved: u64,
}

impl Scanner {
    /// A scanner at the start of a message.
    pub fn new(limits: Limits) -> Self {
        Self { limits, message: 0, next: 0, parts: 0, body: 0, skipping: None, moved: 0 }
    }

    /// Looks for messages in `bytes`, the unconsumed bytes of the connection: those of the call
    /// before, less what [`Scanner::consumed`] was told, plus what has come since. Appends the end
    /// of each message found to `ends`, until that has `room` entries. The first message starts at
    /// 0: whatever lies before [`Scanner::message_start`] has to be dropped between two calls.
    ///
    /// # Errors
    /// A limit or the framing is broken after the messages in `ends`, which are good. The same
    /// error comes again.
    pub fn scan(
        &mut self,
        bytes: &[u8],
        ends: &mut Vec<u32>,
        room: usize,
    ) -> Result<Scan, CloseReason> {
        if self.skipping.is_some() {
            return self.skip(bytes);
        }
        let (largest, most_parts) = (self.limits.max_message_size(), self.limits.max_parts());
        let (mut message, mut next, mut parts, mut body) =
            (self.message, self.next, self.parts, self.body);
        let stop = loop {
            if ends.len() >= room {
                break Stop::Full;
            }
            let header = match Header::decode(bytes.get(next..).unwrap_or_default()) {
                Ok(header) => header,
                Err(len) => break Stop::Starved(next + len),
            };
            if header.flags & !(MORE | LONG) != 0 {
                break Stop::Irregular(header);
            }
            let sum = body.saturating_add(header.size);
            if sum > largest || parts >= most_parts {
                break Stop::Over(header, sum);
            }
            #[expect(clippy::cast_possible_truncation, reason = "limits keep it within 1 GiB")]
            let end = next + header.len + header.size as usize;
            if end > bytes.len() {
                break Stop::Starved(end);
            }
            next = end;
            if header.flags & MORE == 0 {
                #[expect(clippy::cast_possible_truncation, reason = "no buffer has 4 GiB")]
                ends.push(end as u32);
                (message, parts, body) = (end, 0, 0);
            } else {
                parts += 1;
                body = sum;
            }
        };
        if message != self.message {
            self.moved = 0;
        }
        (self.message, self.next, self.parts, self.body) = (message, next, parts, body);
        self.stopped(stop, bytes)
    }

    /// Where the message under way starts: everything before has been reported or may be dropped.
    pub fn message_start(&self) -> usize {
        self.message
    }

    /// The first `count` bytes are gone; at most [`Scanner::message_start`].
    pub fn consumed(&mut self, count: usize) {
        self.message -= count;
        self.next -= count;
    }

    /// Goes on after the command at `wire`.
    ///
    /// RFC 37 keeps commands out of messages, libzmq does not: its timer puts a PING between two
    /// frames whenever the frames before it filled a write. Then the frames before are moved up to
    /// those behind, so that a message is always one piece.
    ///
    /// # Errors
    /// `BadCommand` when a peer makes us move too much for one message.
    pub fn pass_command(
        &mut self,
        wire: Range<usize>,
        bytes: &mut [u8],
    ) -> Result<(), CloseReason> {
        let head = self.message..wire.start;
        if !head.is_empty() {
            self.moved += head.len() as u64;
            if self.moved > self.limits.max_message_size().saturating_mul(MOVES_PER_MESSAGE) {
                return Err(CloseReason::BadCommand);
            }
            bytes.copy_within(head, self.message + wire.len());
        }
        self.message += wire.len();
        self.next = wire.end;
        Ok(())
    }

    fn stopped(&mut self, stop: Stop, bytes: &[u8]) -> Result<Scan, CloseReason> {
        match stop {
            Stop::Starved(wanted) => Ok(Scan::Starved { wanted }),
            Stop::Full => Ok(Scan::Full),
            Stop::Irregular(header) => self.irregular(header, bytes),
            Stop::Over(header, sum) => self.over(header, sum),
        }
    }

    /// A command, or flags that nobody may use.
    fn irregular(&self, header: Header, bytes: &[u8]) -> Result<Scan, CloseReason> {
        if header.flags & !(MORE | LONG | COMMAND) != 0 {
            return Err(CloseReason::ReservedBits);
        }
        if header.flags & MORE != 0 || header.size > MAX_COMMAND {
            return Err(CloseReason::BadCommand);
        }
        let body = self.next + header.len;
        let end = usize::try_from(header.size).map_or(usize::MAX, |size| body + size);
        if end > bytes.len() {
            return Ok(Scan::Starved { wanted: end });
        }
        Ok(Scan::Command { wire: self.next..end, body: body..end })
    }

    /// The frame at `next` is too much: refuse, or start to skip.
    fn over(&mut self, header: Header, sum: u64) -> Result<Scan, CloseReason> {
        self.check_hard_cap(header, sum)?;
        let head = self.message..self.next;
        self.skip_frame(header, sum);
        Ok(Scan::TooLarge { head })
    }

    fn check_hard_cap(&self, header: Header, sum: u64) -> Result<(), CloseReason> {
        let cap = self.limits.hard_cap();
        if self.parts >= self.limits.max_parts() {
            Err(CloseReason::TooManyParts)
        } else if header.size > cap {
            Err(CloseReason::FrameTooLarge)
        } else if sum > cap {
            Err(CloseReason::MessageTooLarge)
        } else {
            Ok(())
        }
    }

    fn skip_frame(&mut self, header: Header, sum: u64) {
        self.next += header.len;
        self.message = self.next;
        self.parts += 1;
        self.body = sum;
        self.skipping = Some(Skipping { remaining: header.size, last: header.flags & MORE == 0 });
    }

    /// Reads past the message under way.
    fn skip(&mut self, bytes: &[u8]) -> Result<Scan, CloseReason> {
        while let Some(skipping) = &mut self.skipping {
            let here = bytes.len().saturating_sub(self.next);
            let count = usize::try_from(skipping.remaining).map_or(here, |left| left.min(here));
            skipping.remaining -= count as u64;
            self.next += count;
            self.message = self.next;
            if skipping.remaining > 0 {
                return Ok(Scan::Starved { wanted: self.next + 1 });
            }
            if skipping.last {
                self.skipping = None;
                (self.parts, self.body) = (0, 0);
                break;
            }
            let header = match Header::decode(bytes.get(self.next..).unwrap_or_default()) {
                Ok(header) => header,
                Err(len) => return Ok(Scan::Starved { wanted: self.next + len }),
            };
            if header.flags & !(MORE | LONG) != 0 {
                return self.irregular(header, bytes);
            }
            let sum = self.body.saturating_add(header.size);
            self.check_hard_cap(header, sum)?;
            self.skip_frame(header, sum);
        }
        Ok(Scan::Skipped)
    }
}

/// Why the tight loop ended, at the frame header at `next`.
#[derive(Clone, Copy)]
enum Stop {
    Starved(usize),
    Full,
    Irregular(Header),
    Over(Header, u64),
}
