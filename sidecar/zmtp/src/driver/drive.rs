//! The step of a connection: write, read, scan, answer PINGs, watch the clock, wait.
//!
//! All state is in the connection and every await is a wait for readiness, so the future may be
//! dropped anywhere and nothing is lost.

use std::future::pending;
use std::io;
use std::ops::Range;
use std::time::Duration;

use tokio::io::Interest;
use tokio::select;
use tokio::task::yield_now;
use tokio::time::Instant;
use tracing::debug;

use super::connection::{Connection, Event, FAR};
use crate::codec::command::{Command, push_ping, push_pong};
use crate::codec::heartbeat::Beat;
use crate::codec::reason::CloseReason;
use crate::codec::scanner::Scan;

/// Bytes that a connection moves before it lets other tasks run.
const TURN: usize = 1 << 20;
/// A large read buffer that holds little is given back after so long without a byte.
const IDLE: Duration = Duration::from_secs(1);
/// How often a message that waits for memory asks for it.
const MEMORY_RETRY: Duration = Duration::from_millis(50);

/// What a try at the socket came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Try {
    /// Bytes moved; there may be more.
    Moved,
    /// There are messages for the caller.
    Messages,
    /// Not now.
    Blocked,
}

impl Connection {
    /// Goes on until there is something to tell: writes what is queued, reads if reading is on
    /// and nothing waits to be consumed, answers PINGs, sends heartbeats.
    ///
    /// Cancel-safe: drop the future whenever something else is due and call again. Input and
    /// output take turns, and the task yields after every MiB.
    ///
    /// # Errors
    /// The reason why the connection has ended; the same one each time from then on.
    pub async fn drive(&mut self) -> Result<Event, CloseReason> {
        if let Some(reason) = self.ended {
            return Err(reason);
        }
        let outcome = self.advance().await;
        if let Err(reason) = outcome {
            self.ended = Some(reason);
        }
        outcome
    }

    async fn advance(&mut self) -> Result<Event, CloseReason> {
        loop {
            if self.clock.work >= TURN {
                self.clock.work = 0;
                yield_now().await;
            }
            let wrote = self.write();
            let flushed = self.above_mark && self.has_room();
            if flushed && !self.told_flushed {
                return Ok(self.tell_flushed());
            }
            match self.read()? {
                Try::Messages => {
                    self.told_flushed = false;
                    return Ok(Event::Messages);
                }
                Try::Moved => {}
                Try::Blocked if flushed => return Ok(self.tell_flushed()),
                Try::Blocked if wrote == Try::Moved => {}
                Try::Blocked => self.wait().await?,
            }
        }
    }

    fn tell_flushed(&mut self) -> Event {
        self.above_mark = false;
        self.told_flushed = true;
        Event::Flushed
    }

    fn write(&mut self) -> Try {
        if self.output.is_empty() {
            return Try::Blocked;
        }
        match self.output.write_to(&self.stream) {
            Ok(count) => {
                self.clock.work += count;
                Try::Moved
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Try::Blocked,
            Err(error) => {
                debug!(peer = self.peer().id, %error, "write failed, reading what is left");
                self.write_failed = true;
                // The end of the input is yet to come. Whoever turned reading off until there is
                // room must hear that there is, or this connection would stay for ever.
                self.above_mark &= !self.input.reading;
                self.output.discard();
                Try::Blocked
            }
        }
    }

    fn read(&mut self) -> Result<Try, CloseReason> {
        if !self.input.reading || self.input.is_waiting() {
            self.clock.deaf = true;
            return Ok(Try::Blocked);
        }
        if self.scan()? {
            return Ok(Try::Messages);
        }
        if self.input.left == Some(0) {
            return Err(CloseReason::Shutdown);
        }
        let now = Instant::now();
        if self.clock.deaf {
            self.clock.deaf = false;
            self.heartbeat.heard(now.into_std());
        }
        if !self.input.buffer.make_room(self.input.wanted) {
            self.clock.deaf = true;
            let since = *self.clock.starved.get_or_insert(now);
            let patient = now - since < self.config.memory_patience;
            return if patient { Ok(Try::Blocked) } else { Err(CloseReason::Memory) };
        }
        self.clock.starved = None;
        match self.input.buffer.read_from(&self.stream) {
            Ok(0) => Err(CloseReason::PeerClosed),
            Ok(count) => {
                if let Some(left) = &mut self.input.left {
                    *left = left.saturating_sub(count as u64);
                }
                self.clock.work += count;
                self.clock.heard = now;
                self.heartbeat.heard(now.into_std());
                Ok(if self.scan()? { Try::Messages } else { Try::Moved })
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Try::Blocked),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Looks for messages in what was read; true when there are some for the caller.
    fn scan(&mut self) -> Result<bool, CloseReason> {
        loop {
            let input = &mut self.input;
            let room = input.buffer.message_room();
            let found = input.scanner.scan(input.buffer.bytes(), &mut input.ends, room);
            if let Ok(Scan::TooLarge { head }) = &found {
                input.too_large = Some(head.clone());
            }
            if input.is_waiting() {
                // What else stopped the scan is found again once this is consumed.
                let may_send = self.config.socket.receives();
                return may_send.then_some(true).ok_or(CloseReason::UnexpectedMessage);
            }
            let mut starved = false;
            match found? {
                Scan::Command { wire, body } => self.obey(wire, body)?,
                Scan::Starved { wanted } => {
                    input.wanted = wanted;
                    starved = true;
                }
                Scan::Full | Scan::Skipped | Scan::TooLarge { .. } => {}
            }
            self.drop_read_bytes(self.input.scanner.message_start());
            if starved {
                return Ok(false);
            }
        }
    }

    /// Handles the command at `wire`.
    fn obey(&mut self, wire: Range<usize>, body: Range<usize>) -> Result<(), CloseReason> {
        match Command::decode(&self.input.buffer.bytes()[body])? {
            Command::Ping { ttl, context } => {
                self.heartbeat.set_ttl(ttl);
                if !self.write_failed {
                    self.output.push_command(|out| push_pong(out, context));
                }
            }
            Command::Pong | Command::Other => {}
            Command::Error(_) => return Err(CloseReason::PeerError),
            Command::Ready(_) => return Err(CloseReason::BadCommand),
        }
        self.input.scanner.pass_command(wire, self.input.buffer.bytes_mut())
    }

    /// Waits until the socket is ready for what is wanted of it, or the clock is due.
    async fn wait(&mut self) -> Result<(), CloseReason> {
        self.set_timer();
        let write = !self.output.is_empty();
        let interest = match (self.listens(), write) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        let ready = async {
            match interest {
                Some(interest) => self.stream.ready(interest).await,
                None => pending().await,
            }
        };
        // Readiness first: bytes that are here already count before a deadline.
        let ready = select! {
            biased;
            ready = ready => Some(ready),
            () = self.clock.timer.as_mut() => None,
        };
        match ready {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(self.failed(&error)),
            None => self.tick(),
        }
    }

    /// Whether bytes from the peer would be read now.
    fn listens(&self) -> bool {
        self.input.reading && !self.input.is_waiting() && self.clock.starved.is_none()
    }

    /// Moves the timer forward if it would be late. One that is early only costs a tick, which is
    /// cheaper than a move for each read.
    fn set_timer(&mut self) {
        let now = Instant::now();
        let heartbeat =
            if self.listens() { self.heartbeat.deadline() } else { self.heartbeat.deaf_deadline() };
        let due = [
            heartbeat.map(Instant::from_std),
            self.clock.starved.map(|_| now + MEMORY_RETRY),
            self.input.buffer.is_idle_and_large().then(|| self.clock.heard + IDLE),
        ];
        let due = due.into_iter().flatten().min().unwrap_or(now + FAR);
        if self.clock.timer.is_elapsed() || due < self.clock.timer.deadline() {
            self.clock.timer.as_mut().reset(due);
        }
    }

    fn tick(&mut self) -> Result<(), CloseReason> {
        let now = Instant::now();
        if self.input.buffer.is_idle_and_large() && now - self.clock.heard >= IDLE {
            self.input.buffer.shrink();
            self.input.ends.shrink_to_fit();
        }
        let beat = if self.listens() {
            self.heartbeat.beat(now.into_std())
        } else {
            self.heartbeat.beat_deaf(now.into_std())
        };
        match beat {
            Beat::Quiet => {}
            Beat::Ping if self.write_failed => {}
            Beat::Ping => self.output.push_command(push_ping),
            Beat::Dead => return Err(CloseReason::HeartbeatTimeout),
        }
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> CloseReason {
        debug!(peer = self.peer().id, %error, "connection failed");
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => CloseReason::PeerClosed,
            _ => CloseReason::Io,
        }
    }
}
