//! Peers that lie, stall and flood, on tcp and ipc. Each is counted under its reason while a
//! healthy peer is served on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panic")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use lifeboat_zmtp::codec::greeting::greeting;
use lifeboat_zmtp::{CloseReason, Connection, Endpoint, ListenerConfig, MemoryBudget, SocketType};
use support::raw::{Raw, announce, ready};
use support::{Counts, Inbox, PATIENCE, Rig, both_transports, config, wait_for, wire};

const PING: &[u8] = b"\x04\x07\x04PING\0\0";

fn pull() -> ListenerConfig {
    config(SocketType::Pull, &[SocketType::Push])
}

/// A PULL with a healthy PUSH on it.
struct Scene {
    rig: Rig,
    inbox: Inbox,
    healthy: Raw,
}

impl Scene {
    async fn open(endpoint: &Endpoint, config: ListenerConfig) -> Self {
        let (rig, inbox) = Rig::pull(endpoint, config).await;
        let healthy = Raw::ready(&rig.endpoint, "PUSH").await;
        let mut scene = Self { rig, inbox, healthy };
        scene.check().await;
        scene
    }

    /// The healthy peer is served, and so is a new one.
    async fn check(&mut self) {
        self.healthy.send(&wire(&[b"old"])).await;
        assert_eq!(self.inbox.next().await, [b"old"]);
        let mut newcomer = Raw::ready(&self.rig.endpoint, "PUSH").await;
        newcomer.send(&wire(&[b"new"])).await;
        assert_eq!(self.inbox.next().await, [b"new"]);
    }

    async fn wait(&self, what: &str, condition: impl Fn(&Counts) -> bool) {
        wait_for(what, &self.rig.counts, condition).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_handshake_ends_each_is_refused_under_its_reason() {
    let greeted = |bytes: &[u8]| [&greeting("NULL")[..], bytes].concat();
    let attacks = [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), CloseReason::NotZmtp),
        (vec![0xff; 10], CloseReason::NotZmtp),
        (vec![1, 0], CloseReason::OldVersion),
        (vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1], CloseReason::OldVersion),
        (greeting("CURVE").to_vec(), CloseReason::Mechanism),
        (greeted(&announce(0, 1 << 40)), CloseReason::BadCommand),
        (greeted(&announce(4, 1 << 40)), CloseReason::ReadyTooLarge),
        (greeted(&announce(4, 1 << 63)), CloseReason::ReadyTooLarge),
        (greeted(&[0x80, 0]), CloseReason::ReservedBits),
        (greeted(&ready("PUB")), CloseReason::SocketType),
        (greeted(&ready("STREAM")), CloseReason::SocketType),
    ];
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let mut scene = Scene::open(&endpoint, pull()).await;
        for (bytes, reason) in &attacks {
            let before = scene.rig.counts.refused(*reason);
            let mut peer = Raw::connect(&scene.rig.endpoint).await;
            peer.send(bytes).await;
            scene.wait(reason.label(), |counts| counts.refused(*reason) == before + 1).await;
        }
        scene.check().await;
        assert!(scene.rig.counts.refused.lock().unwrap().values().sum::<usize>() == attacks.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfit_socket_type_reads_why() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let scene = Scene::open(&endpoint, pull()).await;
        let mut peer = Raw::connect(&scene.rig.endpoint).await;
        peer.send(&[&greeting("NULL")[..], &ready("SUB")].concat()).await;
        let answer = peer.receive_to_end().await;
        assert!(answer[64..].starts_with(b"\x04\x25\x05ERROR\x1e"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_handshake_each_is_closed_under_its_reason() {
    let attacks = [
        (announce(0, 1 << 40), CloseReason::FrameTooLarge),
        (announce(0, 1 << 63), CloseReason::FrameTooLarge),
        (announce(0, u64::MAX), CloseReason::FrameTooLarge),
        ([announce(1, 0), announce(0, (4 << 20) + 1)].concat(), CloseReason::FrameTooLarge),
        (
            [wire(&["x"]), vec![1, 1, 7], announce(0, 4 << 20)].concat(),
            CloseReason::MessageTooLarge,
        ),
        ([1, 0].repeat(2000), CloseReason::TooManyParts),
        (vec![0x40, 0], CloseReason::ReservedBits),
        (vec![5, 0], CloseReason::BadCommand),
        (ready("PUSH"), CloseReason::BadCommand),
        (b"\x04\x09\x05ERROR\x02no".to_vec(), CloseReason::PeerError),
    ];
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = pull();
        let budget = Arc::clone(&config.budget);
        let all = budget.free();
        let mut scene = Scene::open(&endpoint, config).await;
        for (bytes, reason) in &attacks {
            let before = scene.rig.counts.closed(*reason);
            let mut peer = Raw::ready(&scene.rig.endpoint, "PUSH").await;
            peer.send(bytes).await;
            scene.wait(reason.label(), |counts| counts.closed(*reason) == before + 1).await;
        }
        assert_eq!(scene.inbox.next().await, [b"x"], "the good message before a bad one");
        scene.check().await;
        assert_eq!(budget.free(), all, "nothing was allocated for what was announced");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_and_half_greeted_connections_are_closed_at_the_deadline() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = ListenerConfig { handshake_timeout: Duration::from_secs(3), ..pull() };
        let mut scene = Scene::open(&endpoint, config).await;
        let mut peers = Vec::new();
        for at in 0..300 {
            let mut peer = Raw::connect(&scene.rig.endpoint).await;
            peer.send(&greeting("NULL")[..at % 64]).await;
            peers.push(peer);
        }
        scene.check().await;
        scene
            .wait("deadlines", |counts| counts.refused(CloseReason::HandshakeTimeout) == 300)
            .await;
        scene.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_over_the_cap_are_closed_and_counted_until_one_ends() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = ListenerConfig { max_connections: 2, ..pull() };
        let (rig, _inbox) = Rig::pull(&endpoint, config).await;
        let one = Raw::ready(&rig.endpoint, "PUSH").await;
        let _two = Raw::ready(&rig.endpoint, "PUSH").await;
        let mut three = Raw::connect(&rig.endpoint).await;
        assert_eq!(three.receive_to_end().await, b"");
        assert_eq!(rig.counts.refused(CloseReason::TooManyConnections), 1);
        drop(one);
        wait_for("closed", &rig.counts, |counts| counts.closed(CloseReason::PeerClosed) == 1).await;
        // Its place is free a moment later.
        let deadline = Instant::now() + PATIENCE;
        while Raw::try_ready(&rig.endpoint, "PUSH").await.is_none() {
            assert!(Instant::now() < deadline, "no place for another");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_before_between_and_inside_messages() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let mut scene = Scene::open(&endpoint, pull()).await;
        let bytes = [
            PING,
            &wire(&["one"]),
            PING,
            b"\x04\x08\x07UNKNOWN",
            &wire(&["two", "parts"])[..5],
            b"\x04\x0a\x04PING\0\0ctx",
            &wire(&["two", "parts"])[5..],
            &wire(&["three"]),
        ]
        .concat();
        scene.healthy.send(&bytes).await;
        assert_eq!(scene.inbox.next().await, [b"one"]);
        assert_eq!(scene.inbox.next().await, [&b"two"[..], b"parts"]);
        assert_eq!(scene.inbox.next().await, [b"three"]);
        let pongs = scene.healthy.receive(7 + 7 + 10).await;
        assert_eq!(pongs, b"\x04\x05\x04PONG\x04\x05\x04PONG\x04\x08\x04PONGctx");
        scene.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_flood_from_a_peer_that_reads_nothing_holds_nothing_up() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let mut scene = Scene::open(&endpoint, pull()).await;
        let flood = PING.repeat(200_000);
        scene.healthy.send(&flood).await;
        scene.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_never_reads_costs_what_the_caller_lets_wait() {
    const RUN: usize = 64 << 10;
    const BOUND: usize = 256 << 10;
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let most = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&most);
        let config = config(SocketType::Push, &[SocketType::Pull]);
        let rig = Rig::start(&endpoint, config, move |mut connection: Connection| {
            let most = Arc::clone(&most);
            async move {
                let run = Bytes::from(wire(&[[7; 1015]]).repeat(RUN / 1024));
                connection.set_low_mark(BOUND - RUN);
                loop {
                    while connection.has_room() {
                        connection.enqueue(run.clone());
                    }
                    most.fetch_max(connection.queued(), Ordering::Relaxed);
                    if connection.drive().await.is_err() {
                        return;
                    }
                }
            }
        })
        .await;
        let _stuck = Raw::ready(&rig.endpoint, "PULL").await;
        let mut healthy = Raw::ready(&rig.endpoint, "PULL").await;
        for _ in 0..20_000 {
            assert_eq!(healthy.receive(1024).await[..3], [2, 0, 0]);
        }
        let most = seen.load(Ordering::Relaxed);
        assert!((1..=BOUND).contains(&most), "{most}");
        assert_eq!(rig.counts.connected(), 2);
        assert!(rig.counts.closed.lock().unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_dies_unread_ends_a_connection_that_did_not_listen_to_it() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = config(SocketType::Router, &[SocketType::Dealer]);
        let rig = Rig::start(&endpoint, config, |mut connection: Connection| async move {
            // More than the kernel holds.
            connection.enqueue(Bytes::from(wire(&[[7; 1015]]).repeat(64 << 10)));
            while !connection.has_room() {
                connection.set_reading(false);
                if connection.drive().await.is_err() {
                    return;
                }
            }
            connection.set_reading(true);
            while connection.drive().await.is_ok() {}
        })
        .await;
        let mut deaf = Raw::ready(&rig.endpoint, "DEALER").await;
        deaf.receive(1024).await;
        drop(deaf);
        let gone = |counts: &Counts| counts.closed(CloseReason::PeerClosed) == 1;
        wait_for("closed", &rig.counts, gone).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_without_memory_waits_and_is_closed_small_ones_go_on() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = ListenerConfig {
            memory_patience: Duration::from_millis(200),
            budget: MemoryBudget::new(10 << 10),
            ..pull()
        };
        let mut scene = Scene::open(&endpoint, config).await;
        let mut large = Raw::ready(&scene.rig.endpoint, "PUSH").await;
        large.send(&wire(&[vec![7; 100 << 10]])).await;
        scene.check().await;
        scene.wait("memory", |counts| counts.closed(CloseReason::Memory) == 1).await;
        scene.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_pinged_and_then_death() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let mut config = pull();
        config.heartbeat = Some(lifeboat_zmtp::HeartbeatConfig {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
        });
        let (rig, _inbox) = Rig::pull(&endpoint, config).await;
        let mut peer = Raw::ready(&rig.endpoint, "PUSH").await;
        let heard = peer.receive_to_end().await;
        let pings = heard.len() / PING.len();
        assert_eq!(heard, PING.repeat(pings));
        // Fewer where the clock was looked at late.
        assert!((1..5).contains(&pings), "{pings} PINGs");
        wait_for("dead", &rig.counts, |counts| counts.closed(CloseReason::HeartbeatTimeout) == 1)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_peers_ttl_is_honoured() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let (rig, _inbox) =
            Rig::pull(&endpoint, ListenerConfig { heartbeat: None, ..pull() }).await;
        let mut peer = Raw::ready(&rig.endpoint, "PUSH").await;
        peer.send(b"\x04\x07\x04PING\0\x02").await;
        assert_eq!(peer.receive_to_end().await, b"\x04\x05\x04PONG");
        assert_eq!(rig.counts.closed(CloseReason::HeartbeatTimeout), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_to_a_socket_that_only_sends_closes() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = config(SocketType::Push, &[SocketType::Pull]);
        let rig = Rig::echo(&endpoint, config).await;
        let mut peer = Raw::ready(&rig.endpoint, "PULL").await;
        peer.send(&wire(&["x"])).await;
        assert_eq!(peer.receive_to_end().await, b"");
        assert_eq!(rig.counts.closed(CloseReason::UnexpectedMessage), 1);
    }
}
