//! A producer whose messages have ids, and may come again.

use std::ops::Range;

use super::sockets::{connected, receive, send};

/// Messages on their way at one time.
const OUTSTANDING: u64 = 400;

/// A receipt: its code, and its seq with 200.
pub(crate) type Receipt = (String, Option<u64>);

/// A DEALER that sends `[id, "", body]`.
pub(crate) struct Producer(pub(crate) zmq::Socket);

impl Producer {
    pub(crate) fn new(endpoint: &str) -> Self {
        Self(connected(zmq::DEALER, endpoint))
    }

    pub(crate) fn send(&self, id: &[u8], body: &[u8]) {
        send(&self.0, &[id, b"", body]);
    }

    /// The next receipt; its envelope must be `id`.
    pub(crate) fn receipt(&self, id: &[u8]) -> Receipt {
        let frames = receive(&self.0);
        assert_eq!(frames[..2], [id.to_vec(), Vec::new()]);
        let text = |frame: &Vec<u8>| String::from_utf8(frame.clone()).unwrap();
        (text(&frames[2]), frames.get(3).map(|seq| text(seq).parse().unwrap()))
    }

    /// Sends one message and waits for its receipt.
    pub(crate) fn ask(&self, id: &[u8], body: &[u8]) -> Receipt {
        self.send(id, body);
        self.receipt(id)
    }

    /// Sends a message for each number, which is its id and its body, and returns the seqs.
    pub(crate) fn store(&self, numbers: Range<u64>) -> Vec<u64> {
        let mut seqs = Vec::new();
        for number in numbers.clone() {
            self.send(&id(number), &number.to_be_bytes());
            if number >= numbers.start + OUTSTANDING {
                seqs.push(self.stored(number - OUTSTANDING));
            }
        }
        let left = numbers.end.saturating_sub(OUTSTANDING).max(numbers.start);
        seqs.extend((left..numbers.end).map(|number| self.stored(number)));
        seqs
    }

    fn stored(&self, number: u64) -> u64 {
        match self.receipt(&id(number)) {
            (code, Some(seq)) if code == "200" => seq,
            other => panic!("{number}: {other:?}"),
        }
    }
}

/// The id of a number: 16 bytes.
pub(crate) fn id(number: u64) -> Vec<u8> {
    format!("{number:016}").into_bytes()
}

pub(crate) fn stored(seq: u64) -> Receipt {
    ("200".to_owned(), Some(seq))
}

pub(crate) fn refused(code: &str) -> Receipt {
    (code.to_owned(), None)
}
