//! Where we dial: against bound libzmq sockets, our own listener, and nobody.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panic")]

mod support;

use std::future::Future;
use std::io::ErrorKind;
use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lifeboat_zmtp::{
    CloseReason, Connection, Endpoint, Event, Handlers, ListenerConfig, ReconnectConfig,
    SocketType, connect,
};
use support::{
    Counts, Inbox, PATIENCE, Rig, both_transports, collect, config, shapes, wait_for, wire,
};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Waits that a test does not notice.
const QUICK: ReconnectConfig = ReconnectConfig {
    first: Duration::from_millis(10),
    most: Duration::from_millis(50),
    least: Duration::from_millis(1),
    good_after: Duration::from_secs(1),
};

/// A connector in the background.
struct Dialler {
    counts: Arc<Counts>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Handlers>,
}

impl Dialler {
    fn start<H, F>(endpoints: Vec<Endpoint>, config: ListenerConfig, handler: H) -> Self
    where
        H: Fn(Connection) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let counts = Arc::new(Counts::default());
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            // A dropped sender stops it too.
            let _ = stopped.await;
        };
        let task = tokio::spawn(connect(
            endpoints,
            config,
            QUICK,
            Arc::clone(&counts) as _,
            shutdown,
            handler,
        ));
        Self { counts, stop, task }
    }
}

/// A libzmq socket that gives up after a while, bound to `endpoint`, and where.
fn bound(kind: zmq::SocketType, endpoint: &Endpoint) -> (zmq::Socket, Endpoint) {
    let socket = zmq::Context::new().socket(kind).unwrap();
    let patience = i32::try_from(PATIENCE.as_millis()).unwrap();
    socket.set_rcvtimeo(patience).unwrap();
    socket.set_sndtimeo(patience).unwrap();
    let address = match endpoint {
        Endpoint::Tcp { port, .. } => format!("tcp://127.0.0.1:{port}").replace(":0", ":*"),
        Endpoint::Ipc(_) => endpoint.to_string(),
    };
    socket.bind(&address).unwrap();
    let last = socket.get_last_endpoint().unwrap().unwrap();
    (socket, last.parse().unwrap())
}

fn pull_config() -> ListenerConfig {
    config(SocketType::Pull, &[SocketType::Push])
}

async fn stop(dialler: Dialler) {
    drop(dialler.stop);
    let handlers = timeout(PATIENCE, dialler.task).await.unwrap().unwrap();
    drop(handlers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_pull_reads_every_shape_from_several_bound_pushes() {
    let (_dir, endpoints) = both_transports();
    let (pushes, endpoints): (Vec<_>, Vec<_>) =
        endpoints.iter().map(|endpoint| bound(zmq::PUSH, endpoint)).unzip();
    let (sender, mut inbox) = Inbox::new();
    let dialler =
        Dialler::start(endpoints, pull_config(), move |peer| collect(peer, sender.clone()));
    for push in &pushes {
        for shape in shapes() {
            push.send_multipart(&shape, 0).unwrap();
            assert!(inbox.next().await == shape, "{} frames", shape.len());
        }
    }
    assert_eq!(dialler.counts.connected(), 2);
    stop(dialler).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_push_writes_every_shape_to_a_bound_pull() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let (pull, endpoint) = bound(zmq::PULL, &endpoint);
        let config = config(SocketType::Push, &[SocketType::Pull]);
        let dialler = Dialler::start(vec![endpoint], config, |mut connection| async move {
            for shape in shapes() {
                connection.enqueue(Bytes::from(wire(&shape)));
            }
            while let Ok(Event::Flushed) = connection.drive().await {}
        });
        tokio::task::spawn_blocking(move || {
            for shape in shapes() {
                assert!(pull.recv_multipart(0).unwrap() == shape, "{} frames", shape.len());
            }
        })
        .await
        .unwrap();
        wait_for("the end", &dialler.counts, |it| it.closed(CloseReason::PeerClosed) == 1).await;
        stop(dialler).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_comes_late_and_goes_is_found_each_time() {
    let (_dir, endpoints) = both_transports();
    for (endpoint, missing) in
        endpoints.iter().zip([ErrorKind::ConnectionRefused, ErrorKind::NotFound])
    {
        // A port that nobody else gets: it was just free.
        let (first, endpoint) = bound(zmq::PUSH, endpoint);
        drop(first);
        let (sender, mut inbox) = Inbox::new();
        let dialler = Dialler::start(vec![endpoint.clone()], pull_config(), move |peer| {
            collect(peer, sender.clone())
        });
        for round in 0..3u8 {
            // libzmq leaves an ipc socket's file for a moment, which refuses.
            let failures = |counts: &Counts| {
                counts.connect_failures(missing)
                    + counts.connect_failures(ErrorKind::ConnectionRefused)
            };
            let before = failures(&dialler.counts);
            wait_for("a try in vain", &dialler.counts, |counts| failures(counts) > before).await;
            let push = bound(zmq::PUSH, &endpoint).0;
            push.send(&[round][..], 0).unwrap();
            assert_eq!(inbox.next().await, [[round]]);
            drop(push);
            let ended = usize::from(round) + 1;
            let closed = |counts: &Counts| counts.closed(CloseReason::PeerClosed) == ended;
            wait_for("the end", &dialler.counts, closed).await;
        }
        stop(dialler).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_can_dial_ourselves() {
    let (_dir, endpoints) = both_transports();
    for endpoint in endpoints {
        let (rig, mut inbox) = Rig::pull(&endpoint, pull_config()).await;
        let config = config(SocketType::Push, &[SocketType::Pull]);
        let dialler =
            Dialler::start(vec![rig.endpoint.clone()], config, |mut connection| async move {
                connection.enqueue(Bytes::from(wire(&[b"hello"])));
                while connection.drive().await.is_ok() {}
            });
        assert_eq!(inbox.next().await, [b"hello"]);
        stop(dialler).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfit_or_silent_peer_is_left_alone_and_tried_again() {
    let (_pub, unfit) = bound(zmq::PUB, &"tcp://*:*".parse().unwrap());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_at = format!("tcp://{}", silent.local_addr().unwrap()).parse().unwrap();
    let config = ListenerConfig { handshake_timeout: Duration::from_millis(100), ..pull_config() };
    let dialler =
        Dialler::start(vec![unfit, silent_at], config, |_| async { panic!("nobody is fit") });
    wait_for("refusals", &dialler.counts, |counts| {
        // libzmq may close before our side has judged it.
        let unfit = counts.refused(CloseReason::SocketType)
            + counts.refused(CloseReason::PeerError)
            + counts.refused(CloseReason::PeerClosed);
        unfit >= 2 && counts.refused(CloseReason::HandshakeTimeout) >= 2
    })
    .await;
    // To a silent peer we said our greeting and nothing more.
    let mut heard = Vec::new();
    silent.accept().unwrap().0.read_to_end(&mut heard).unwrap();
    assert_eq!(heard.len(), 64);
    stop(dialler).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_dialling_at_once_and_leaves_handlers_their_time() {
    let (_push, there) = bound(zmq::PUSH, &"tcp://*:*".parse().unwrap());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_at = format!("tcp://{}", silent.local_addr().unwrap()).parse().unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let ended = Arc::new(tokio::sync::Mutex::new(Some(ended)));
    let dialler = Dialler::start(vec![there, silent_at], pull_config(), move |connection| {
        let ended = Arc::clone(&ended);
        async move {
            let order = ended.lock().await.take().unwrap();
            order.await.unwrap();
            connection.close(CloseReason::Shutdown).await;
        }
    });
    wait_for("a connection", &dialler.counts, |counts| counts.connected() == 1).await;
    drop(dialler.stop);
    let handlers = timeout(PATIENCE, dialler.task).await.unwrap().unwrap();
    assert_eq!(dialler.counts.closed(CloseReason::Shutdown), 0, "the handler goes on");
    end.send(()).unwrap();
    timeout(PATIENCE, handlers.finished()).await.unwrap();
    assert_eq!(dialler.counts.closed(CloseReason::Shutdown), 1);
    assert_eq!(dialler.counts.connected(), 1, "and nothing was dialled again");
}
