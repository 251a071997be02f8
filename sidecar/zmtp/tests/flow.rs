//! What the caller of a connection relies on: back-pressure, oversize reports, positions,
//! shutdown, parting.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panic")]

mod support;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lifeboat_zmtp::{
    CloseReason, Connection, Endpoint, Event, ListenerConfig, MemoryBudget, Oversize, SocketType,
    frames,
};
use support::raw::{Raw, announce};
use support::{PATIENCE, Rig, both_transports, config, wait_for, wire};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

/// Runs `work` on each connection and gives out what it returns.
async fn rig_of<H, F, T>(
    endpoint: &Endpoint,
    config: ListenerConfig,
    work: H,
) -> (Rig, mpsc::UnboundedReceiver<T>)
where
    H: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (sender, results) = mpsc::unbounded_channel();
    let rig = Rig::start(endpoint, config, move |connection| {
        let (sender, work) = (sender.clone(), work(connection));
        async move {
            // The test may be over already.
            let _ = sender.send(work.await);
        }
    })
    .await;
    (rig, results)
}

async fn next<T>(results: &mut mpsc::UnboundedReceiver<T>) -> T {
    timeout(PATIENCE, results.recv()).await.expect("in time").expect("the handler did not panic")
}

fn pull() -> ListenerConfig {
    config(SocketType::Pull, &[SocketType::Push])
}

fn push() -> ListenerConfig {
    config(SocketType::Push, &[SocketType::Pull])
}

/// How many messages come until the connection ends, and why it does.
async fn read_to_the_end(connection: &mut Connection) -> (usize, CloseReason) {
    let mut count = 0;
    loop {
        match connection.drive().await {
            Ok(Event::Messages) => {
                count += connection.messages().len();
                connection.consume_all();
            }
            Ok(Event::Flushed) => {}
            Err(reason) => return (count, reason),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_off_makes_a_flooding_peer_wait_and_on_takes_it_all() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let go = Arc::new(Semaphore::new(0));
        let gate = Arc::clone(&go);
        let (rig, mut counts) = rig_of(&endpoint, pull(), move |mut connection| {
            let gate = Arc::clone(&gate);
            async move {
                connection.set_reading(false);
                tokio::select! {
                    event = connection.drive() => panic!("{event:?} though reading is off"),
                    _ = gate.acquire() => {}
                }
                connection.set_reading(true);
                let mut count = 0;
                while let Ok(Event::Messages) = connection.drive().await {
                    count += connection.messages().len();
                    connection.consume_all();
                }
                count
            }
        })
        .await;
        let mut peer = Raw::ready(&rig.endpoint, "PUSH").await;
        let sender = tokio::spawn(async move {
            peer.send(&wire(&[vec![7; 1 << 20]]).repeat(50)).await;
        });
        // Time for all of it to be sent, were it read.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!sender.is_finished(), "50 MiB do not fit into kernel buffers");
        go.add_permits(1);
        assert_eq!(next(&mut counts).await, 50);
        sender.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_may_be_consumed_in_parts() {
    let endpoint = "tcp://*:*".parse().unwrap();
    let (rig, mut results) = rig_of(&endpoint, pull(), |mut connection| async move {
        let mut seen = Vec::new();
        while connection.drive().await == Ok(Event::Messages) {
            // Two at a time; what is left stays where it is.
            while !connection.messages().is_empty() {
                let messages = connection.messages();
                assert_eq!(messages.bytes().len(), *messages.ends().last().unwrap() as usize);
                let taken: Vec<_> = messages.iter().take(2).map(<[u8]>::to_vec).collect();
                connection.consume(taken.len());
                seen.extend(taken);
            }
        }
        seen
    })
    .await;
    let messages: Vec<_> = (0..101u8).map(|n| wire(&[vec![n; usize::from(n)]])).collect();
    Raw::ready(&rig.endpoint, "PUSH").await.send(&messages.concat()).await;
    assert_eq!(next(&mut results).await, messages);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversize_message_is_reported_in_order_and_never_held() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let mut config = config(SocketType::Router, &[SocketType::Dealer]);
        config.limits = config.limits.with_max_message_size(1 << 20).with_oversize(Oversize::Skip);
        // Far less than the oversize message.
        config.budget = MemoryBudget::new(512 << 10);
        let (rig, mut results) = rig_of(&endpoint, config, |mut connection| async move {
            let mut seen = Vec::new();
            let reason = loop {
                match connection.drive().await {
                    Ok(_) => {
                        let messages = connection.messages();
                        seen.extend(messages.iter().map(|message| ("whole", message.to_vec())));
                        seen.extend(messages.too_large().map(|head| ("head", head.to_vec())));
                        connection.consume_all();
                    }
                    Err(reason) => break reason,
                }
            };
            (seen, reason)
        })
        .await;
        let mut peer = Raw::ready(&rig.endpoint, "DEALER").await;
        let oversize = wire(&[&b"id"[..], b"", &vec![7; 3 << 20]]);
        let head = frames(&oversize).take(2).map(|frame| frame.wire).collect::<Vec<_>>().concat();
        peer.send(&[wire(&["a"]), oversize, wire(&["b"])].concat()).await;
        peer.send(&announce(0, (4 << 20) + 1)).await;
        let (seen, reason) = next(&mut results).await;
        assert_eq!(seen, [("whole", wire(&["a"])), ("head", head), ("whole", wire(&["b"]))]);
        assert_eq!(reason, CloseReason::FrameTooLarge);
    }
}

/// Drives while `condition` holds; false once the connection has ended.
async fn drive_while(
    connection: &mut Connection,
    mut condition: impl FnMut(&mut Connection) -> bool,
) -> bool {
    while condition(connection) {
        if let Ok(Err(_)) = timeout(Duration::from_millis(1), connection.drive()).await {
            return false;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taken_follows_what_the_peer_reads_and_stays_when_it_dies() {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::ipc(dir.path().join("socket")).unwrap();
    let (sender, mut positions) = mpsc::unbounded_channel();
    let (rig, mut results) = rig_of(&endpoint, push(), move |mut connection| {
        let sender = sender.clone();
        async move {
            let message = Bytes::from(wire(&[[7; 991]]));
            let ends: Vec<_> = (0..10).map(|_| connection.enqueue(message.clone())).collect();
            assert_eq!(ends, (1..=10).map(|n| n * 1000).collect::<Vec<_>>());
            while connection.drive().await == Ok(Event::Flushed) {
                sender.send(connection.taken().unwrap()).unwrap();
                drive_while(&mut connection, |connection| {
                    sender.send(connection.taken().unwrap()).is_ok()
                })
                .await;
            }
            (connection.written(), connection.taken().unwrap())
        }
    })
    .await;
    let mut peer = Raw::ready(&rig.endpoint, "PULL").await;
    // One write fills one kernel buffer here, which counts as unread until its last byte is read:
    // the bound is low, never high.
    peer.receive(5000).await;
    while positions.try_recv().is_ok() {}
    for _ in 0..10 {
        assert!(next(&mut positions).await <= 5000);
    }
    peer.receive(5000).await;
    while next(&mut positions).await < 10_000 {}
    // Commands on the wire do not count.
    peer.send(PING).await;
    assert_eq!(peer.receive(7).await, PONG);
    for _ in 0..10 {
        assert_eq!(next(&mut positions).await, 10_000);
    }
    drop(peer);
    assert_eq!(next(&mut results).await, (10_000, 10_000));
}

const PING: &[u8] = b"\x04\x07\x04PING\0\0";
const PONG: &[u8] = b"\x04\x05\x04PONG";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dying_peer_left_unread_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::ipc(dir.path().join("socket")).unwrap();
    let flushed = Arc::new(Semaphore::new(0));
    let done = Arc::clone(&flushed);
    let (rig, mut results) = rig_of(&endpoint, push(), move |mut connection| {
        let done = Arc::clone(&done);
        async move {
            connection.enqueue(Bytes::from(wire(&[[7; 991]])));
            assert_eq!(connection.drive().await, Ok(Event::Flushed));
            done.add_permits(1);
            let reason = connection.drive().await.unwrap_err();
            (connection.written(), connection.taken().unwrap(), reason)
        }
    })
    .await;
    let peer = Raw::ready(&rig.endpoint, "PULL").await;
    flushed.acquire().await.unwrap().forget();
    drop(peer);
    assert_eq!(next(&mut results).await, (1000, 0, CloseReason::PeerClosed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_came_before_a_failed_write_are_still_read() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let go = Arc::new(Semaphore::new(0));
        let gate = Arc::clone(&go);
        let config = config(SocketType::Router, &[SocketType::Dealer]);
        let (rig, mut results) = rig_of(&endpoint, config, move |mut connection| {
            let gate = Arc::clone(&gate);
            async move {
                let _ = gate.acquire().await.unwrap();
                // More than the kernel takes, so that a write has to fail.
                connection.enqueue(Bytes::from(wire(&[vec![7; 64 << 20]])));
                let (count, reason) = read_to_the_end(&mut connection).await;
                (count, connection.queued(), reason)
            }
        })
        .await;
        let mut peer = Raw::ready(&rig.endpoint, "DEALER").await;
        peer.send(&wire(&["last words"]).repeat(1000)).await;
        drop(peer);
        go.add_permits(1);
        assert_eq!(next(&mut results).await, (1000, 0, CloseReason::PeerClosed));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_sends_what_is_queued_even_to_a_peer_that_still_sends() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let config = config(SocketType::Router, &[SocketType::Dealer]);
        let (rig, _results) = rig_of(&endpoint, config, |mut connection: Connection| async move {
            assert_eq!(connection.drive().await, Ok(Event::Messages));
            connection.enqueue(Bytes::from(wire(&[vec![7; 1 << 20]])));
            connection.close(CloseReason::Shutdown).await;
        })
        .await;
        let mut peer = Raw::ready(&rig.endpoint, "DEALER").await;
        peer.send(&wire(&["x"]).repeat(50_000)).await;
        assert_eq!(peer.receive_to_end().await, wire(&[vec![7; 1 << 20]]));
        drop(peer);
        wait_for("closed", &rig.counts, |counts| counts.closed(CloseReason::Shutdown) == 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_stops_accepting_cuts_handshakes_and_leaves_handlers_to_their_end() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let rig = Rig::echo(&endpoint, config(SocketType::Router, &[SocketType::Dealer])).await;
        let mut served = Raw::ready(&rig.endpoint, "DEALER").await;
        let mut half = Raw::connect(&rig.endpoint).await;
        half.receive(64).await;
        rig.stop.send(()).unwrap();
        let handlers = rig.server.await.unwrap();
        assert_eq!(half.receive_to_end().await, b"");
        wait_for("cut", &rig.counts, |counts| counts.refused(CloseReason::Shutdown) == 1).await;
        served.send(&wire(&["still here"])).await;
        assert_eq!(served.receive(12).await, wire(&["still here"]));
        drop(served);
        timeout(PATIENCE, handlers.finished()).await.expect("handlers end by themselves");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_panics_takes_down_its_own_connection_only() {
    let endpoint = "tcp://*:*".parse().unwrap();
    let rig = Rig::start(&endpoint, pull(), |mut connection: Connection| async move {
        let event = connection.drive().await;
        assert!(event.is_err(), "a panic that the test wants");
    })
    .await;
    let mut bad = Raw::ready(&rig.endpoint, "PUSH").await;
    bad.send(&wire(&["x"])).await;
    assert_eq!(bad.receive_to_end().await, b"");
    assert_eq!(rig.counts.closed(CloseReason::Handler), 1);
    Raw::ready(&rig.endpoint, "PUSH").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_counts_for_nothing_while_reading_is_off() {
    let endpoint = "tcp://*:*".parse().unwrap();
    let mut config = pull();
    config.heartbeat = Some(lifeboat_zmtp::HeartbeatConfig {
        interval: Duration::from_millis(50),
        timeout: Duration::from_secs(3),
    });
    let (rig, mut results) = rig_of(&endpoint, config, |mut connection: Connection| async move {
        connection.set_reading(false);
        let silent = timeout(Duration::from_secs(4), connection.drive()).await;
        assert!(silent.is_err(), "{silent:?}");
        connection.set_reading(true);
        connection.drive().await
    })
    .await;
    let mut peer = Raw::ready(&rig.endpoint, "PUSH").await;
    // The first thing that we hear is a question, not a farewell.
    assert_eq!(peer.receive(PING.len()).await, PING);
    peer.send(&wire(&["x"])).await;
    assert_eq!(next(&mut results).await, Ok(Event::Messages));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_input_tells_what_had_arrived_and_no_more_and_output_still_goes_out() {
    const ARRIVED: usize = 2_000;
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let go = Arc::new(Semaphore::new(0));
        let gate = Arc::clone(&go);
        let config = config(SocketType::Router, &[SocketType::Dealer]);
        let (rig, mut results) = rig_of(&endpoint, config, move |mut connection| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                connection.end_input();
                let (told, reason) = read_to_the_end(&mut connection).await;
                connection.enqueue(Bytes::from(wire(&[b"bye"])));
                connection.close(reason).await;
                (told, reason)
            }
        })
        .await;
        let mut raw = Raw::ready(&rig.endpoint, "DEALER").await;
        let mut bytes = Vec::new();
        (0..ARRIVED).for_each(|_| bytes.extend(wire(&[&b"x"[..], b"yy"])));
        // The last one is not whole.
        bytes.extend(announce(0, 100));
        raw.send(&bytes).await;
        go.add_permits(1);
        let (told, reason) = next(&mut results).await;
        assert_eq!((told, reason), (ARRIVED, CloseReason::Shutdown));
        assert_eq!(raw.receive(5).await, wire(&[b"bye"]));
    }
}
