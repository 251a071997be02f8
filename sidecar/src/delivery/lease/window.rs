//! How many records each connection may have in flight.

use std::collections::BTreeMap;

/// The window of every connection of one delivery.
#[derive(Debug, Default)]
pub(super) struct Windows {
    by_connection: BTreeMap<u64, Window>,
    in_flight: u64,
}

#[derive(Debug, Default)]
struct Window {
    size: u64,
    in_flight: u64,
}

impl Windows {
    /// Sets a connection's window; the connection is new if it has none.
    pub(super) fn resize(&mut self, connection: u64, size: u32) {
        self.by_connection.entry(connection).or_default().size = u64::from(size);
    }

    /// How many more records it may have when none may have more than `limit`.
    pub(super) fn room(&self, connection: u64, limit: u32) -> u64 {
        let window = self.by_connection.get(&connection);
        let size = |window: &Window| window.size.min(u64::from(limit));
        window.map_or(0, |window| size(window).saturating_sub(window.in_flight))
    }

    /// Counts `records` as in flight.
    pub(super) fn occupy(&mut self, connection: u64, records: u64) {
        if let Some(window) = self.by_connection.get_mut(&connection) {
            window.in_flight += records;
            self.in_flight += records;
        }
    }

    /// Counts `records` as no longer in flight.
    pub(super) fn release(&mut self, connection: u64, records: u64) {
        if let Some(window) = self.by_connection.get_mut(&connection) {
            window.in_flight -= records;
            self.in_flight -= records;
        }
    }

    /// Forgets a connection; returns how many records it had in flight.
    pub(super) fn close(&mut self, connection: u64) -> u64 {
        let records = self.by_connection.remove(&connection).map_or(0, |window| window.in_flight);
        self.in_flight -= records;
        records
    }

    /// Records in flight on all connections.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }
}
