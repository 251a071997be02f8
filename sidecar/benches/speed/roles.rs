//! The ends of the sockets, each run as a process of its own, and starting them.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;

use crate::raw::WINDOW;
use crate::siege::besiege;

/// Records that a credit consumer holds.
const CREDIT: usize = 1024;
/// Records that it acknowledges together.
const ACK_BATCH: usize = 256;

/// One end.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
pub(crate) enum Role {
    /// Sends numbered messages from a PUSH.
    Push { to: String, count: usize, size: usize },
    /// Takes them on a PULL, checks their order, prints the rate.
    Pull { from: String, count: usize },
    /// Takes them on a PULL in whatever order, for some were handed out before; prints the rate.
    Drain { from: String, count: usize },
    /// libzmq's own proxy, PULL to PUSH, which stores nothing.
    Proxy { from: String, to: String },
    /// Sends from a DEALER with `WINDOW` receipts outstanding, prints the rate.
    Dealer { to: String, count: usize, size: usize },
    /// Takes records with credit on a DEALER, acknowledges them, prints the rate.
    Credit { from: String, count: usize },
    /// Sends one message at a time from a DEALER, prints each time to its answer in nanoseconds.
    Ping { to: String, count: usize, size: usize },
    /// Answers each message on a ROUTER with two short frames.
    Echo { at: String },
    /// Besieges a PULL and a Receipt socket.
    Siege { crowded: String, stormed: String },
}

impl Role {
    /// Does what the role does, until it is done or killed.
    pub(crate) fn play(self) {
        match self {
            Self::Push { to, count, size } => push(&to, count, size),
            Self::Pull { from, count } => pull(&from, count, true),
            Self::Drain { from, count } => pull(&from, count, false),
            Self::Proxy { from, to } => proxy(&from, &to),
            Self::Dealer { to, count, size } => dealer(&to, count, size),
            Self::Credit { from, count } => credit(&from, count),
            Self::Ping { to, count, size } => ping(&to, count, size),
            Self::Echo { at } => echo(&at),
            Self::Siege { crowded, stormed } => besiege(&crowded, &stormed),
        }
    }
}

/// A role's process. Dropped, it is killed.
pub(crate) struct Process(Child);

/// Starts a role with these arguments.
pub(crate) fn start(arguments: &[&dyn ToString]) -> Process {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--role").args(arguments.iter().map(|argument| argument.to_string()));
    Process(command.stdout(Stdio::piped()).spawn().unwrap())
}

impl Process {
    /// Waits for its end and returns what it printed.
    pub(crate) fn printed(mut self) -> String {
        let mut text = String::new();
        let mut stdout = self.0.stdout.take().unwrap();
        std::io::Read::read_to_string(&mut stdout, &mut text).unwrap();
        assert!(self.0.wait().unwrap().success());
        text
    }

    /// Waits for its end and returns the rate that it printed.
    pub(crate) fn rate(self) -> f64 {
        self.printed().trim().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A tcp port that nobody uses now.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn socket(context: &zmq::Context, kind: zmq::SocketType) -> zmq::Socket {
    let socket = context.socket(kind).unwrap();
    socket.set_sndhwm(100_000).unwrap();
    socket.set_rcvhwm(100_000).unwrap();
    socket.set_rcvtimeo(60_000).unwrap();
    socket.set_linger(60_000).unwrap();
    socket
}

fn proxy(from: &str, to: &str) {
    let context = zmq::Context::new();
    let (pull, push) = (socket(&context, zmq::PULL), socket(&context, zmq::PUSH));
    pull.set_rcvtimeo(-1).unwrap();
    pull.bind(from).unwrap();
    push.bind(to).unwrap();
    let _ = zmq::proxy(&pull, &push);
}

fn push(to: &str, count: usize, size: usize) {
    let context = zmq::Context::new();
    let push = socket(&context, zmq::PUSH);
    push.connect(to).unwrap();
    let mut message = vec![b'x'; size];
    for at in 0..count as u64 {
        message[..8].copy_from_slice(&at.to_be_bytes());
        push.send(&message, 0).unwrap();
    }
}

fn pull(from: &str, count: usize, in_order: bool) {
    let context = zmq::Context::new();
    let pull = socket(&context, zmq::PULL);
    pull.connect(from).unwrap();
    let mut message = zmq::Message::new();
    pull.recv(&mut message, 0).unwrap();
    let first = u64::from_be_bytes(message[..8].try_into().unwrap());
    let start = Instant::now();
    for at in 1..count as u64 {
        pull.recv(&mut message, 0).unwrap();
        assert!(!in_order || message[..8] == (first + at).to_be_bytes(), "out of order");
    }
    println!("{}", (count - 1) as f64 / start.elapsed().as_secs_f64());
}

fn dealer(to: &str, count: usize, size: usize) {
    let context = zmq::Context::new();
    let dealer = socket(&context, zmq::DEALER);
    dealer.connect(to).unwrap();
    let mut message = vec![b'x'; size];
    let mut answer = zmq::Message::new();
    let (mut sent, mut answered) = (0, 0);
    let start = Instant::now();
    while answered < count {
        while sent < count && sent - answered < WINDOW {
            message[..8].copy_from_slice(&(sent as u64).to_be_bytes());
            dealer.send(&message, 0).unwrap();
            sent += 1;
        }
        dealer.recv(&mut answer, 0).unwrap();
        assert_eq!(&answer[..], b"200");
        dealer.recv(&mut answer, 0).unwrap();
        answered += 1;
    }
    println!("{}", count as f64 / start.elapsed().as_secs_f64());
}

fn credit(from: &str, count: usize) {
    let context = zmq::Context::new();
    let dealer = socket(&context, zmq::DEALER);
    dealer.connect(from).unwrap();
    assert_eq!(dealer.recv_multipart(0).unwrap()[0], b"HELLO");
    dealer.send_multipart([&b"CREDIT"[..], CREDIT.to_string().as_bytes()], 0).unwrap();
    let mut tokens = Vec::new();
    let mut start = Instant::now();
    let mut message = zmq::Message::new();
    for at in 0..count as u64 {
        // MSG, token, attempt, seq, empty, body: read frame by frame, as a lean client does.
        dealer.recv(&mut message, 0).unwrap();
        assert_eq!(&message[..], b"MSG");
        tokens.push(dealer.recv_msg(0).unwrap());
        for _ in 0..4 {
            dealer.recv(&mut message, 0).unwrap();
        }
        assert_eq!(message[..8], at.to_be_bytes(), "out of order");
        assert!(!message.get_more());
        if at == 0 {
            start = Instant::now();
        }
        if tokens.len() == ACK_BATCH || at + 1 == count as u64 {
            dealer.send("ACK", zmq::SNDMORE).unwrap();
            dealer.send_multipart(tokens.drain(..), 0).unwrap();
        }
    }
    println!("{}", (count - 1) as f64 / start.elapsed().as_secs_f64());
}

fn ping(to: &str, count: usize, size: usize) {
    let context = zmq::Context::new();
    let dealer = socket(&context, zmq::DEALER);
    dealer.connect(to).unwrap();
    let message = vec![b'x'; size];
    for _ in 0..count {
        let start = Instant::now();
        dealer.send(&message, 0).unwrap();
        assert_eq!(dealer.recv_multipart(0).unwrap().len(), 2);
        println!("{}", start.elapsed().as_nanos());
    }
}

fn echo(at: &str) {
    let context = zmq::Context::new();
    let router = socket(&context, zmq::ROUTER);
    router.set_rcvtimeo(-1).unwrap();
    router.bind(at).unwrap();
    loop {
        let mut parts = router.recv_multipart(0).unwrap();
        parts.truncate(1);
        parts.extend([b"200".to_vec(), b"12345".to_vec()]);
        router.send_multipart(&parts, 0).unwrap();
    }
}

/// Times that [`ping`] printed.
pub(crate) fn times(printed: &str) -> Vec<Duration> {
    printed.lines().map(|line| Duration::from_nanos(line.parse().unwrap())).collect()
}
