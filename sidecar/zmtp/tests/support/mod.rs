//! A listener under test: served in the background, every connection counted.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

pub mod raw;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use lifeboat_zmtp::{
    CloseReason, Connection, Endpoint, Event, Handlers, Listener, ListenerConfig, MemoryBudget,
    Observer, Peer, SocketType, frames, push_frame, serve,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// No test waits longer than this for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A message: the bodies of its frames.
pub type Parts = Vec<Vec<u8>>;

/// Counts what the observer is told.
#[derive(Debug, Default)]
pub struct Counts {
    pub peers: Mutex<Vec<Peer>>,
    pub closed: Mutex<HashMap<CloseReason, usize>>,
    pub refused: Mutex<HashMap<CloseReason, usize>>,
    pub accept_failures: Mutex<usize>,
    pub connect_failures: Mutex<HashMap<io::ErrorKind, usize>>,
}

impl Observer for Counts {
    fn connected(&self, peer: &Peer) {
        self.peers.lock().unwrap().push(peer.clone());
    }

    fn closed(&self, _: &Peer, reason: CloseReason) {
        *self.closed.lock().unwrap().entry(reason).or_default() += 1;
    }

    fn refused(&self, _: &str, reason: CloseReason) {
        *self.refused.lock().unwrap().entry(reason).or_default() += 1;
    }

    fn accept_failed(&self, _: &io::Error) {
        *self.accept_failures.lock().unwrap() += 1;
    }

    fn connect_failed(&self, _: &str, error: &io::Error) {
        *self.connect_failures.lock().unwrap().entry(error.kind()).or_default() += 1;
    }
}

impl Counts {
    pub fn connected(&self) -> usize {
        self.peers.lock().unwrap().len()
    }

    pub fn closed(&self, reason: CloseReason) -> usize {
        self.closed.lock().unwrap().get(&reason).copied().unwrap_or(0)
    }

    pub fn connect_failures(&self, kind: io::ErrorKind) -> usize {
        self.connect_failures.lock().unwrap().get(&kind).copied().unwrap_or(0)
    }

    pub fn refused(&self, reason: CloseReason) -> usize {
        self.refused.lock().unwrap().get(&reason).copied().unwrap_or(0)
    }
}

/// Waits for a condition, or fails the test with what was seen last.
pub async fn wait_for(what: &str, counts: &Counts, condition: impl Fn(&Counts) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition(counts) {
        assert!(Instant::now() < deadline, "{what}: {counts:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A directory for sockets and the endpoints to run a test on.
pub fn both_transports() -> (tempfile::TempDir, [Endpoint; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let ipc = Endpoint::ipc(dir.path().join("socket")).unwrap();
    (dir, ["tcp://*:*".parse().unwrap(), ipc])
}

/// The defaults with a large budget.
pub fn config(socket: SocketType, accepts: &'static [SocketType]) -> ListenerConfig {
    ListenerConfig::new(socket, accepts, MemoryBudget::new(64 << 20))
}

/// A served listener.
pub struct Rig {
    pub endpoint: Endpoint,
    pub counts: Arc<Counts>,
    pub stop: oneshot::Sender<()>,
    pub server: JoinHandle<Handlers>,
}

impl Rig {
    pub async fn start<H, F>(endpoint: &Endpoint, config: ListenerConfig, handler: H) -> Self
    where
        H: Fn(Connection) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = Listener::bind(endpoint, "127.0.0.1").await.unwrap();
        let endpoint = listener.local_endpoint().clone();
        let counts = Arc::new(Counts::default());
        let observer: Arc<dyn Observer> = Arc::clone(&counts) as _;
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            // A dropped sender stops the listener too.
            let _ = stopped.await;
        };
        let server = tokio::spawn(serve(listener, config, observer, shutdown, handler));
        Self { endpoint, counts, stop, server }
    }

    /// A PULL whose messages come out of the channel.
    pub async fn pull(endpoint: &Endpoint, config: ListenerConfig) -> (Self, Inbox) {
        let (sender, inbox) = mpsc::unbounded_channel();
        let rig =
            Self::start(endpoint, config, move |connection| collect(connection, sender.clone()))
                .await;
        (rig, Inbox(inbox))
    }

    /// A ROUTER that sends every message back.
    pub async fn echo(endpoint: &Endpoint, config: ListenerConfig) -> Self {
        Self::start(endpoint, config, echo).await
    }

    /// The address for ZeroMQ's connect.
    pub fn address(&self) -> String {
        self.endpoint.to_string()
    }
}

/// Messages that a PULL rig took.
pub struct Inbox(mpsc::UnboundedReceiver<Parts>);

impl Inbox {
    /// One, and where its messages are put.
    pub fn new() -> (mpsc::UnboundedSender<Parts>, Self) {
        let (sender, inbox) = mpsc::unbounded_channel();
        (sender, Self(inbox))
    }

    pub async fn next(&mut self) -> Parts {
        tokio::time::timeout(PATIENCE, self.0.recv()).await.expect("a message in time").unwrap()
    }
}

pub async fn collect(mut connection: Connection, sender: mpsc::UnboundedSender<Parts>) {
    while let Ok(event) = connection.drive().await {
        if event == Event::Messages {
            for message in connection.messages().iter() {
                let parts = frames(message).map(|frame| frame.body.to_vec()).collect();
                sender.send(parts).unwrap();
            }
            connection.consume_all();
        }
    }
}

async fn echo(mut connection: Connection) {
    while let Ok(event) = connection.drive().await {
        if event == Event::Messages {
            let bytes = Bytes::copy_from_slice(connection.messages().bytes());
            connection.consume_all();
            connection.enqueue(bytes);
        }
    }
}

/// The wire form of a message.
pub fn wire(parts: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        push_frame(&mut out, at + 1 < parts.len(), part.as_ref());
    }
    out
}

/// The sizes around which frames change form, and the shapes that matter.
pub fn shapes() -> Vec<Parts> {
    let mut shapes: Vec<Parts> = [0, 1, 255, 256, 65_535, 65_536, 1 << 20]
        .into_iter()
        .map(|size| vec![patterned(size)])
        .collect();
    shapes.push((0..1000u32).map(|n| n.to_be_bytes().to_vec()).collect());
    shapes.push(vec![patterned(300), Vec::new(), patterned(70_000), Vec::new()]);
    shapes
}

fn patterned(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
}
