//! A REQ application of a Credit delivery, as a user would write it.

use super::sockets::{
    REQ_CORRELATE, REQ_RELAXED, connected, receive, send, set_option, unconnected,
};

/// What a verb is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Msg { token: Vec<u8>, attempt: u64, seq: u64, body: Vec<Vec<u8>> },
    Empty,
    Ok,
    Err(String),
}

impl Answer {
    /// The token of a record.
    pub(crate) fn token(&self) -> &[u8] {
        match self {
            Self::Msg { token, .. } => token,
            other => panic!("no MSG but {other:?}"),
        }
    }

    /// Seq and attempt of a record.
    pub(crate) fn key(&self) -> (u64, u64) {
        match self {
            Self::Msg { seq, attempt, .. } => (*seq, *attempt),
            other => panic!("no MSG but {other:?}"),
        }
    }

    /// The first frame of a record.
    pub(crate) fn body(&self) -> &[u8] {
        match self {
            Self::Msg { body, .. } => &body[0],
            other => panic!("no MSG but {other:?}"),
        }
    }
}

/// The application.
pub(crate) struct Worker(pub(crate) zmq::Socket);

impl Worker {
    /// On a plain REQ.
    pub(crate) fn plain(endpoint: &str) -> Self {
        Self(connected(zmq::REQ, endpoint))
    }

    /// On a REQ that may ask again, and never takes an old answer for a new one.
    pub(crate) fn relaxed(endpoint: &str) -> Self {
        let mut socket = unconnected(zmq::REQ);
        set_option(&mut socket, REQ_RELAXED, 1);
        set_option(&mut socket, REQ_CORRELATE, 1);
        socket.connect(endpoint).unwrap();
        Self(socket)
    }

    /// Says a verb and hears the answer.
    pub(crate) fn ask(&self, frames: &[&[u8]]) -> Answer {
        send(&self.0, frames);
        self.hear()
    }

    /// Says a verb and gives up after so many milliseconds.
    pub(crate) fn give_up(&self, frames: &[&[u8]], patience: i32) {
        send(&self.0, frames);
        let usual = self.0.get_rcvtimeo().unwrap();
        self.0.set_rcvtimeo(patience).unwrap();
        let answer = self.0.recv_multipart(0);
        assert_eq!(answer.err(), Some(zmq::Error::EAGAIN));
        self.0.set_rcvtimeo(usual).unwrap();
    }

    pub(crate) fn hear(&self) -> Answer {
        answer(&receive(&self.0))
    }
}

/// Reads an answer.
pub(crate) fn answer(frames: &[Vec<u8>]) -> Answer {
    let text = |at: usize| String::from_utf8(frames[at].clone()).unwrap();
    match (&frames[0][..], frames.len()) {
        (b"MSG", 6..) if frames[4].is_empty() => Answer::Msg {
            token: frames[1].clone(),
            attempt: text(2).parse().unwrap(),
            seq: text(3).parse().unwrap(),
            body: frames[5..].to_vec(),
        },
        (b"EMPTY", 1) => Answer::Empty,
        (b"OK", 1) => Answer::Ok,
        (b"ERR", 3) => Answer::Err(format!("{} {}", text(1), text(2))),
        _ => panic!("{frames:?}"),
    }
}
