//! Proxies that belong to the process: they live and die with it, and what they hold dies too.
//!
//! A stage that is [`Conduct::Early`] gives the process one of the faults that the rig must find;
//! one that is [`Conduct::Honest`] passes everything on, and shows that a stage alone loses nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::actors::{receive, socket, try_send};

/// How long a stage waits for messages on one side before it looks at the other.
const LOOK: Duration = Duration::from_millis(1);
/// How long an early stage keeps a message that it has settled: longer than a round, on most disks.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// How a stage behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// Passes on what it gets.
    Honest,
    /// Answers before it passes on: a producer is told `200` before the write, or a record is
    /// settled before its delivery.
    Early,
}

/// A running stage.
pub(crate) struct Stage {
    crashed: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Stage {
    /// Between producers, at `front`, and the Receipt ingress `back`.
    pub(crate) fn receipts(front: String, back: String, conduct: Conduct) -> Self {
        Self::spawn(move |crashed| {
            // A context of its own: when it is gone, so are the sockets, and `front` is free.
            let context = zmq::Context::new();
            let (front, back) = pair(&context, zmq::ROUTER, &front, &back);
            match conduct {
                Conduct::Honest => pass_on(&front, &back, &mut |_| false, crashed),
                Conduct::Early => receipt_early(&front, &back, crashed),
            }
        })
    }

    /// Between one consumer, at `front`, and the Credit delivery `back`.
    pub(crate) fn credit(front: String, back: String, conduct: Conduct) -> Self {
        Self::spawn(move |crashed| {
            let context = zmq::Context::new();
            let (front, back) = pair(&context, zmq::DEALER, &front, &back);
            let mut settle = |message: &[Vec<u8>]| match message {
                [verb, token, ..] if verb == b"MSG" && conduct == Conduct::Early => {
                    try_send(&back, &[b"ACK", token.as_slice()])
                }
                _ => false,
            };
            pass_on(&front, &back, &mut settle, crashed);
        })
    }

    fn spawn(work: impl FnOnce(&AtomicBool) + Send + 'static) -> Self {
        let crashed = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&crashed);
        Self { crashed, thread: std::thread::spawn(move || work(&seen)) }
    }

    /// Dies with everything that it holds.
    pub(crate) fn crash(self) {
        self.crashed.store(true, SeqCst);
        self.thread.join().unwrap();
    }
}

/// A stage's two sockets, which queue without limit: what is lost is lost by the crash alone.
fn pair(
    context: &zmq::Context,
    kind: zmq::SocketType,
    front: &str,
    back: &str,
) -> (zmq::Socket, zmq::Socket) {
    let (near, far) = (socket(context, kind), socket(context, zmq::DEALER));
    for socket in [&near, &far] {
        socket.set_sndhwm(0).unwrap();
        socket.set_rcvhwm(0).unwrap();
    }
    near.bind(front).unwrap();
    far.connect(back).unwrap();
    (near, far)
}

/// Passes messages on in both directions. Of what comes from the back, `settle` sees each first; if
/// it says so, the message is kept for a while.
fn pass_on(
    front: &zmq::Socket,
    back: &zmq::Socket,
    settle: &mut dyn FnMut(&[Vec<u8>]) -> bool,
    crashed: &AtomicBool,
) {
    let mut held: VecDeque<(Instant, Vec<Vec<u8>>)> = VecDeque::new();
    while !crashed.load(SeqCst) {
        while let Some(message) = receive(back, Duration::ZERO) {
            let time = if settle(&message) { ON_ITS_WAY } else { Duration::ZERO };
            held.push_back((Instant::now() + time, message));
        }
        while let Some((due, message)) = held.front()
            && *due <= Instant::now()
            && try_send(front, message)
        {
            held.pop_front();
        }
        let mut patience = LOOK;
        while let Some(message) = receive(front, patience) {
            patience = Duration::ZERO;
            assert!(try_send(back, &message));
        }
    }
}

/// Answers producers with the seq that the next message might get, and passes the message on.
fn receipt_early(front: &zmq::Socket, back: &zmq::Socket, crashed: &AtomicBool) {
    let mut seq = 0u64;
    while !crashed.load(SeqCst) {
        let Some(message) = receive(front, LOOK) else { continue };
        let envelope = message.iter().position(Vec::is_empty).unwrap();
        let mut answer = message[..=envelope].to_vec();
        answer.extend([b"200".to_vec(), seq.to_string().into_bytes()]);
        try_send(front, &answer);
        assert!(try_send(back, &message[envelope..]));
        while receive(back, Duration::ZERO).is_some() {}
        seq += 1;
    }
}
