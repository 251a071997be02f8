//! Counts what happens to a socket's connections.

use std::io;

use lifeboat_zmtp::{CloseReason, Observer, Peer};
use prometheus::{IntCounter, IntCounterVec, IntGauge};

/// Counts a socket's connections.
#[derive(Debug)]
pub(super) struct SocketObserver {
    pub(super) labels: [String; 2],
    pub(super) open: IntGauge,
    pub(super) ended: IntCounterVec,
    pub(super) accept_failures: IntCounter,
    pub(super) connect_failures: IntCounterVec,
}

impl SocketObserver {
    fn count(&self, reason: CloseReason) {
        let [stream, socket] = &self.labels;
        self.ended.with_label_values(&[stream, socket, reason.label()]).inc();
    }
}

impl Observer for SocketObserver {
    fn connected(&self, peer: &Peer) {
        self.open.inc();
        tracing::debug!(stream = self.labels[0], socket = self.labels[1], %peer.address, "connected");
    }

    fn closed(&self, _peer: &Peer, reason: CloseReason) {
        self.open.dec();
        self.count(reason);
    }

    fn refused(&self, address: &str, reason: CloseReason) {
        self.count(reason);
        tracing::debug!(stream = self.labels[0], socket = self.labels[1], address, %reason, "refused");
    }

    fn accept_failed(&self, error: &io::Error) {
        self.accept_failures.inc();
        tracing::warn!(stream = self.labels[0], socket = self.labels[1], %error, "cannot accept");
    }

    fn connect_failed(&self, endpoint: &str, error: &io::Error) {
        let [stream, socket] = &self.labels;
        self.connect_failures.with_label_values(&[stream, socket, connect_reason(error)]).inc();
        // Once a few seconds for as long as nobody is there.
        tracing::debug!(stream, socket, endpoint, %error, "cannot connect");
    }
}

/// A closed set, so that the metric stays small.
fn connect_reason(error: &io::Error) -> &'static str {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::TimedOut => "timeout",
        ErrorKind::NotFound => "no_socket_file",
        ErrorKind::PermissionDenied => "permission",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "unreachable",
        _ => "other",
    }
}
