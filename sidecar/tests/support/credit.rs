//! A Credit application on a libzmq DEALER, as a user would write it.

use std::time::Instant;

use super::PATIENCE;
use super::sockets::{connected, receive, send};

/// A record as it was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Msg {
    pub(crate) token: Vec<u8>,
    pub(crate) attempt: u64,
    pub(crate) seq: u64,
    pub(crate) body: Vec<Vec<u8>>,
}

/// What the sidecar says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Hello(String),
    Msg(Msg),
    Err(String),
}

/// The application.
pub(crate) struct App {
    pub(crate) socket: zmq::Socket,
    pub(crate) stream_id: String,
}

impl App {
    /// Connects and hears HELLO. Gives no credit.
    pub(crate) fn connect(endpoint: &str) -> Self {
        Self::over(connected(zmq::DEALER, endpoint))
    }

    /// Hears HELLO on a connected DEALER. Gives no credit.
    pub(crate) fn over(socket: zmq::Socket) -> Self {
        let mut app = Self { socket, stream_id: String::new() };
        match app.hear() {
            Heard::Hello(stream_id) => app.stream_id = stream_id,
            other => panic!("no HELLO but {other:?}"),
        }
        app
    }

    /// The same, with credit.
    pub(crate) fn with_credit(endpoint: &str, credit: u32) -> Self {
        let app = Self::connect(endpoint);
        app.credit(credit);
        app
    }

    pub(crate) fn credit(&self, credit: u32) {
        self.say(&[b"CREDIT", credit.to_string().as_bytes()]);
    }

    pub(crate) fn say(&self, frames: &[&[u8]]) {
        send(&self.socket, frames);
    }

    pub(crate) fn ack(&self, msgs: &[Msg]) {
        let mut frames: Vec<&[u8]> = vec![b"ACK"];
        frames.extend(msgs.iter().map(|msg| &msg.token[..]));
        self.say(&frames);
    }

    /// The next thing that is said.
    pub(crate) fn hear(&self) -> Heard {
        parse(&receive(&self.socket))
    }

    /// The next record.
    pub(crate) fn next(&self) -> Msg {
        match self.hear() {
            Heard::Msg(msg) => msg,
            other => panic!("no MSG but {other:?}"),
        }
    }

    /// The next `count` records.
    pub(crate) fn take(&self, count: usize) -> Vec<Msg> {
        (0..count).map(|_| self.next()).collect()
    }

    /// The next `count` records, each acknowledged when it comes.
    pub(crate) fn settle(&self, count: usize) -> Vec<Msg> {
        let mut msgs = Vec::new();
        for _ in 0..count {
            msgs.push(self.next());
            self.ack(&msgs[msgs.len() - 1..]);
        }
        msgs
    }

    /// The next error.
    pub(crate) fn error(&self) -> String {
        match self.hear() {
            Heard::Err(text) => text,
            other => panic!("no ERR but {other:?}"),
        }
    }

    /// Everything that was on its way: what is said is answered in order, and what credit allows
    /// goes out before the answer to the second of two mistakes.
    pub(crate) fn drain(&self) -> Vec<Msg> {
        let mut msgs = Vec::new();
        for _ in 0..2 {
            self.say(&[b"NONSENSE"]);
            let deadline = Instant::now() + PATIENCE;
            loop {
                match self.hear() {
                    Heard::Msg(msg) => msgs.push(msg),
                    Heard::Err(text) if text == "400 unknown verb" => break,
                    other => panic!("{other:?}"),
                }
                assert!(Instant::now() < deadline);
            }
        }
        msgs
    }
}

fn parse(frames: &[Vec<u8>]) -> Heard {
    let text = |at: usize| String::from_utf8(frames[at].clone()).unwrap();
    match &frames[0][..] {
        b"HELLO" => {
            assert_eq!((frames.len(), text(1).as_str()), (3, "1"));
            Heard::Hello(text(2))
        }
        b"MSG" => {
            assert!(frames.len() > 5 && frames[4].is_empty(), "{frames:?}");
            Heard::Msg(Msg {
                token: frames[1].clone(),
                attempt: text(2).parse().unwrap(),
                seq: text(3).parse().unwrap(),
                body: frames[5..].to_vec(),
            })
        }
        b"ERR" => {
            assert_eq!(frames.len(), 3);
            Heard::Err(format!("{} {}", text(1), text(2)))
        }
        _ => panic!("{frames:?}"),
    }
}
