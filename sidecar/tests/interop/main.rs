//! Whatever a libzmq socket may do, done to the real `lifeboat` over tcp and over ipc, and the same
//! with the `zeromq` crate where it can. Each behaviour has one test; some have it elsewhere:
//!
//! | row | behaviour | test |
//! | --- | --- | --- |
//! | 1 | REQ: one receipt a message | `receipt::a_req_gets_a_receipt_for_each_message`, `crate_peer` |
//! | 2, 3 | REQ_CORRELATE, REQ_RELAXED | `receipt::a_correlated_and_relaxed_req_may_repeat_itself` |
//! | 4 | REQ with empty parts in its body | `receipt::a_req_gets_a_receipt_for_each_message` |
//! | 5 | DEALER without and with a delimiter | `receipt::a_dealer_without_envelope_...`, `crate_peer` |
//! | 6 | PROBE_ROUTER | `receipt::a_probe_is_ignored_...` |
//! | 7 | PUSH of every frame size, 1,000 parts | `push::every_frame_size_...`, `crate_peer` |
//! | 8, 9 | frames, messages and parts over a limit | `push::a_message_...`, `push::what_is_announced_...`, `hostile` |
//! | 10 | ZMQ_IMMEDIATE while the sidecar is down | `restart::an_immediate_push_...`, `restart::a_push_queues_...` |
//! | 11 | SIGKILL of the sidecar under PUSH load; with receipts | `restart::a_kill_under_push_load_...`; `kill` |
//! | 12 | several clients with one routing id | `identity` |
//! | 13 | heartbeats, PONG contexts, TTL | `heartbeat` |
//! | 14 | no PING to a 3.0 peer | `lifeboat-zmtp`: `zeromq_crate::a_3_0_peer_...` |
//! | 15 to 17, 26 | SUB and PUB | not in this version |
//! | 18 | PULL killed with messages in flight | `push` (the test binary) |
//! | 20 | HELLO_MSG and its kin | libzmq's draft API |
//! | 21 | CURVE | not in this version |
//! | 22 | PLAIN and CURVE clients | `handshake::a_client_of_another_mechanism_...` |
//! | 23 | NULL with a ZAP domain; PLAIN | `handshake::a_zap_domain_...`; not in this version |
//! | 24 | slow handshakes, other protocols, old versions | `hostile`, `siege`, `lifeboat-zmtp`: `hostile`, `descriptors` |
//! | 25 | socket types that do not fit, CONFLATE, STREAM | `handshake` |
//! | 27 | IPv6, stale socket files and their mode | `endpoint` |
//! | 28 | RECONNECT_STOP_HANDSHAKE_FAILED | `handshake::a_client_that_may_not_retry_...` |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod crate_peer;
mod endpoint;
mod handshake;
mod heartbeat;
mod identity;
mod push;
mod restart;
mod shapes;
#[path = "../support/mod.rs"]
mod support;

use support::both::{IN, OUT};
use support::sockets::{connected, receive};
use support::{Home, Lifeboat};

/// A queue with each kind of socket on both transports.
struct Scene {
    home: Home,
    lifeboat: Lifeboat,
}

impl Scene {
    fn new() -> Self {
        Self::with(IN, OUT)
    }

    fn with(ingress: &str, deliveries: &str) -> Self {
        let home = Home::queue(ingress, deliveries);
        let lifeboat = home.start();
        Self { home, lifeboat }
    }

    /// The endpoint of a socket of the stream `work`.
    fn endpoint(&self, socket: &str, transport: &str) -> &str {
        self.lifeboat.endpoint(&format!("work.{socket}{transport}"))
    }

    /// How many connections a socket of the stream `work` has.
    fn connections(&self, socket: &str) -> u64 {
        let stream = self.home.stream("work");
        let ingress = stream.ingress.into_iter().map(|ingress| ingress.socket);
        let deliveries = stream.deliveries.into_iter().filter_map(|delivery| delivery.socket);
        let found = ingress.chain(deliveries).find(|it| it.name == socket);
        found.unwrap_or_else(|| panic!("no socket {socket}")).connections
    }

    /// The next messages of the delivery `out`, as a libzmq PULL gets them.
    fn delivered(&self, transport: &str, count: usize) -> Vec<Vec<Vec<u8>>> {
        let app = connected(zmq::PULL, self.endpoint("out", transport));
        (0..count).map(|_| receive(&app)).collect()
    }
}
