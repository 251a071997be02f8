//! How many records each connection may have in flight, and whose turn it is to probe a suspect.
//!
//! At most one connection probes at a time: it holds one suspect and nothing else. While suspects
//! are due and nobody probes, a connection whose window is empty takes one; if there is none, one
//! connection drains: it is given nothing more, until it is empty. All others go on.

use std::collections::BTreeMap;

/// The window of every connection of one delivery.
#[derive(Debug, Default)]
pub(super) struct Windows {
    by_connection: BTreeMap<u64, Window>,
    in_flight: u64,
    /// The connection that holds a suspect.
    prober: Option<u64>,
    /// The connection that gets nothing until it is empty, to probe then.
    draining: Option<u64>,
}

#[derive(Debug, Default)]
struct Window {
    size: u64,
    in_flight: u64,
    /// A lease ran out here: the application may still be at work on its record.
    overdue: bool,
}

/// What a connection with room may be given now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    Wait,
    /// One suspect.
    Probe,
    /// Anything but a suspect.
    Ordinary,
}

/// What is known of a connection that is gone.
#[derive(Debug)]
pub(super) struct Closed {
    /// Records that it had in flight.
    pub(super) in_flight: u64,
    /// What that says about them.
    pub(super) end: End,
    /// Another connection may be given something now.
    pub(super) wake: bool,
}

/// How a connection ended, as its window tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its last credit was 0: it had stopped.
    Orderly,
    /// It may have been broken by what it had in flight.
    Broken,
    /// It was, for that is a suspect, alone.
    BrokenByProbe,
}

impl Windows {
    /// Sets a connection's window; the connection is new if it has none. True when another
    /// connection may be given something now.
    pub(super) fn resize(&mut self, connection: u64, size: u32) -> bool {
        self.by_connection.entry(connection).or_default().size = u64::from(size);
        size == 0 && self.draining.take_if(|draining| *draining == connection).is_some()
    }

    /// How many more records it may have when none may have more than `limit`.
    pub(super) fn room(&self, connection: u64, limit: u32) -> u64 {
        let window = self.by_connection.get(&connection);
        let size = |window: &Window| window.size.min(u64::from(limit));
        window.map_or(0, |window| size(window).saturating_sub(window.in_flight))
    }

    /// Whose turn it is, of a connection with room, while suspects are due or not.
    pub(super) fn turn(&mut self, connection: u64, suspects: bool) -> Turn {
        match self.prober {
            Some(prober) if prober == connection => Turn::Wait,
            None if suspects && self.is_empty(connection) => Turn::Probe,
            None if suspects && *self.draining.get_or_insert(connection) == connection => {
                Turn::Wait
            }
            _ => Turn::Ordinary,
        }
    }

    /// Counts one suspect as in flight on an empty connection. True when another one need not
    /// drain any more.
    pub(super) fn probe(&mut self, connection: u64) -> bool {
        self.occupy(connection, 1);
        self.prober = Some(connection);
        self.draining.take().is_some_and(|draining| draining != connection)
    }

    /// Counts `records` as in flight.
    pub(super) fn occupy(&mut self, connection: u64, records: u64) {
        if let Some(window) = self.by_connection.get_mut(&connection) {
            window.in_flight += records;
            self.in_flight += records;
        }
    }

    /// Counts `records` as no longer in flight. True when that ends a probe or lets one begin: any
    /// connection may be given something then. One that has drained and asks for nothing leaves the
    /// probe to another.
    pub(super) fn release(&mut self, connection: u64, records: u64) -> bool {
        let Some(window) = self.by_connection.get_mut(&connection) else { return false };
        window.in_flight -= records;
        self.in_flight -= records;
        window.in_flight == 0 && self.leave_suspects(connection)
    }

    /// The same, of records whose leases ran out.
    pub(super) fn expire(&mut self, connection: u64, records: u64) -> bool {
        if let Some(window) = self.by_connection.get_mut(&connection) {
            window.overdue = true;
        }
        self.release(connection, records)
    }

    /// Forgets a connection.
    pub(super) fn close(&mut self, connection: u64) -> Closed {
        let probed = self.prober == Some(connection);
        let wake = self.leave_suspects(connection);
        let window = self.by_connection.remove(&connection).unwrap_or_default();
        self.in_flight -= window.in_flight;
        let end = match window {
            Window { size: 0, .. } => End::Orderly,
            Window { overdue: false, .. } if probed => End::BrokenByProbe,
            Window { .. } => End::Broken,
        };
        Closed { in_flight: window.in_flight, end, wake }
    }

    /// Records in flight on all connections.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    fn is_empty(&self, connection: u64) -> bool {
        self.by_connection.get(&connection).is_some_and(|window| window.in_flight == 0)
    }

    /// Ends its probe or its draining; whether there was one.
    fn leave_suspects(&mut self, connection: u64) -> bool {
        let probed = self.prober.take_if(|prober| *prober == connection).is_some();
        let drained = self.draining.take_if(|draining| *draining == connection).is_some();
        probed || drained
    }
}
