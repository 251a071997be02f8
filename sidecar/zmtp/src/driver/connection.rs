//! One connection, owned by one task of the caller.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::buffer::ReadBuffer;
use super::config::ListenerConfig;
use super::messages::Messages;
use super::observer::Observer;
use super::output::Output;
use super::peer::Peer;
use super::stream::Stream;
use super::unread;
use crate::codec::greeting::Version;
use crate::codec::heartbeat::Heartbeat;
use crate::codec::reason::CloseReason;
use crate::codec::scanner::Scanner;

/// How long [`Connection::close`] waits for the peer to take what is queued.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// When a timer goes off that nobody needs.
pub(super) const FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// What [`Connection::drive`] has to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// There is something in [`Connection::messages`]. No more is read until it is consumed.
    Messages,
    /// [`Connection::has_room`] is true again.
    Flushed,
}

/// A connection to a peer whose handshake is done.
///
/// Nothing happens on it except inside [`Connection::drive`]. Dropping it closes the socket at
/// once.
#[derive(Debug)]
pub struct Connection {
    pub(super) stream: Stream,
    pub(super) config: Arc<ListenerConfig>,
    pub(super) input: Input,
    pub(super) output: Output,
    pub(super) heartbeat: Heartbeat,
    pub(super) clock: Clock,
    /// Queue length at or below which [`Event::Flushed`] is due, and whether it was above.
    pub(super) low_mark: usize,
    pub(super) above_mark: bool,
    /// Whether the last event was [`Event::Flushed`]: then messages have precedence.
    pub(super) told_flushed: bool,
    /// Nothing can be written any more; what the peer sent before is still worth reading.
    pub(super) write_failed: bool,
    pub(super) ended: Option<CloseReason>,
    peer: Peer,
    observer: Arc<dyn Observer>,
}

/// The reading side.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) buffer: ReadBuffer,
    pub(super) scanner: Scanner,
    /// Ends of the messages that wait for the caller, from the start of the buffer.
    pub(super) ends: Vec<u32>,
    pub(super) too_large: Option<Range<usize>>,
    pub(super) reading: bool,
    /// Unconsumed bytes that the next frame needs in all.
    pub(super) wanted: usize,
    /// Bytes that are still to be read before the input counts as ended; `None` while it goes on.
    pub(super) left: Option<u64>,
}

impl Input {
    /// Whether the caller has yet to consume something.
    pub(super) fn is_waiting(&self) -> bool {
        !self.ends.is_empty() || self.too_large.is_some()
    }
}

/// Times and the one timer.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) timer: Pin<Box<Sleep>>,
    /// When bytes last came.
    pub(super) heard: Instant,
    /// Since when a message has waited for memory.
    pub(super) starved: Option<Instant>,
    /// Whether reading was off since the heartbeat was last asked.
    pub(super) deaf: bool,
    /// Bytes moved since the task last yielded.
    pub(super) work: usize,
}

impl Connection {
    /// A connection after its handshake; `input` may already hold traffic.
    pub(super) fn new(
        stream: Stream,
        buffer: ReadBuffer,
        peer: Peer,
        config: Arc<ListenerConfig>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let now = Instant::now();
        let heartbeat = config.heartbeat.filter(|_| peer.version >= Version::V3_1);
        observer.connected(&peer);
        Self {
            stream,
            input: Input {
                buffer,
                scanner: Scanner::new(config.limits),
                ends: Vec::new(),
                too_large: None,
                reading: true,
                wanted: 1,
                left: None,
            },
            output: Output::default(),
            heartbeat: Heartbeat::new(heartbeat, now.into_std()),
            clock: Clock {
                timer: Box::pin(sleep_until(now + FAR)),
                heard: now,
                starved: None,
                deaf: false,
                work: 0,
            },
            low_mark: 0,
            above_mark: false,
            told_flushed: false,
            write_failed: false,
            ended: None,
            config,
            peer,
            observer,
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The messages that came in and are not consumed. Nothing is copied, so they hold up reading
    /// until [`Connection::consume_all`].
    pub fn messages(&self) -> Messages<'_> {
        let bytes = self.input.buffer.bytes();
        let end = self.input.ends.last().map_or(0, |&end| end as usize);
        Messages {
            bytes: &bytes[..end],
            ends: &self.input.ends,
            too_large: self.input.too_large.clone().map(|head| &bytes[head]),
        }
    }

    /// Done with all of [`Connection::messages`].
    pub fn consume_all(&mut self) {
        self.input.ends.clear();
        self.input.too_large = None;
        self.drop_read_bytes(self.input.scanner.message_start());
    }

    /// Done with the first `count` messages. Costs a pass over the rest: meant for callers that
    /// stop early now and then, not for one message at a time. [`Connection::drive`] does not
    /// report the rest again; it is in [`Connection::messages`] until consumed.
    pub fn consume(&mut self, count: usize) {
        if count >= self.input.ends.len() && self.input.too_large.is_none() {
            return self.consume_all();
        }
        let count = count.min(self.input.ends.len());
        let Some(&end) = self.input.ends[..count].last() else { return };
        self.input.ends.drain(..count);
        for later in &mut self.input.ends {
            *later -= end;
        }
        let end = end as usize;
        if let Some(head) = &mut self.input.too_large {
            *head = head.start - end..head.end - end;
        }
        self.drop_read_bytes(end);
    }

    pub(super) fn drop_read_bytes(&mut self, count: usize) {
        self.input.buffer.consume(count);
        self.input.scanner.consumed(count);
        self.input.wanted = self.input.wanted.saturating_sub(count);
    }

    /// Turns reading off, so that the kernel's buffers fill and the peer has to wait, and on
    /// again. While it is off, the peer's silence is not held against it, its PINGs wait, and if it
    /// sends any, ours tell it that we live.
    pub fn set_reading(&mut self, on: bool) {
        self.input.reading = on;
    }

    /// Says that nothing more will be sent, and drops what was not. Reading goes on: a libzmq peer
    /// closes then and connects again later, and all that it had sent can still be read.
    pub fn end_output(&mut self) {
        // A peer that is gone already is found by the next read.
        let _ = rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write);
        self.write_failed = true;
        self.above_mark = false;
        self.output.discard();
    }

    /// Reads no more than has arrived by now, in the kernel's buffer too. Once all of that is told,
    /// [`Connection::drive`] says that the connection has ended, with `Shutdown`;
    /// [`Connection::close`] still sends what is queued.
    pub fn end_input(&mut self) {
        // What cannot be asked has failed: nothing more comes.
        let arrived = rustix::io::ioctl_fionread(&self.stream).unwrap_or(0);
        self.input.left.get_or_insert(arrived);
    }

    /// Queues whole messages, as wire bytes, without copying. Returns the position of their end:
    /// the count of all message bytes ever queued here, to be compared with
    /// [`Connection::written`] and [`Connection::taken`].
    ///
    /// The queue has no bound of its own: look at [`Connection::queued`]. Bytes queued after the
    /// peer is gone are dropped; [`Connection::drive`] says so once the input is read.
    pub fn enqueue(&mut self, messages: Bytes) -> u64 {
        let end = self.output.push(messages);
        if self.write_failed {
            self.output.discard();
        }
        self.above_mark |= !self.has_room();
        end
    }

    /// Copies what waits to be written, so that it keeps no larger memory alive that it was cut
    /// from. For peers that take nothing any more.
    pub fn detach_output(&mut self) {
        self.output.detach();
    }

    /// Sets the queue length in bytes at which [`Event::Flushed`] is due; 0 at first.
    pub fn set_low_mark(&mut self, bytes: usize) {
        self.low_mark = bytes;
        self.above_mark = !self.has_room();
    }

    /// Whether the queue is at the low mark or below. Producers that keep a connection busy ask
    /// this before each [`Connection::enqueue`] and wait for [`Event::Flushed`] when it is false:
    /// any other threshold may miss that event.
    pub fn has_room(&self) -> bool {
        self.output.queued() <= self.low_mark
    }

    /// Message bytes not yet handed to the kernel.
    pub fn queued(&self) -> usize {
        self.output.queued()
    }

    /// Position up to which message bytes were handed to the kernel.
    pub fn written(&self) -> u64 {
        self.output.written()
    }

    /// Position up to which the peer has read, as far as can be known: a lower bound that never
    /// falls. On a unix socket that is the peer's process, on tcp only its kernel.
    ///
    /// The send queue also looks empty when the peer dies with bytes unread, so the value counts
    /// only if the connection still stands after it was read; otherwise the last good one stays.
    pub fn taken(&mut self) -> io::Result<u64> {
        let unread = unread::unread(&self.stream)?;
        let gone = self.write_failed || unread::hung_up(&self.stream)?;
        Ok(self.output.taken(unread, gone))
    }

    /// Ends the connection: what is queued is sent if the peer takes it within a second.
    pub async fn close(mut self, reason: CloseReason) {
        self.ended.get_or_insert(reason);
        // A peer that does not take it in time loses it, as with any cut connection.
        let _ = timeout(CLOSE_PATIENCE, async {
            while !self.output.is_empty() {
                self.stream.ready(Interest::WRITABLE).await?;
                match self.output.write_to(&self.stream) {
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
            }
            self.stream.part().await
        })
        .await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.observer.closed(&self.peer, self.ended.unwrap_or(CloseReason::Handler));
    }
}
