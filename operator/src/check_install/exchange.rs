//! Messages to a queue and back, as any ZeroMQ application would: a DEALER that waits for receipts,
//! and a DEALER with credit. The engine is the `zeromq` crate; time is the caller's.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;
use zeromq::{DealerSocket, Socket, SocketOptions, SocketRecv, SocketSend, ZmqMessage};

/// One attempt to connect. Short: the engine pauses longer with each try inside.
const ATTEMPT: Duration = Duration::from_millis(700);
/// Pause between attempts that fail at once.
const PAUSE: Duration = Duration::from_millis(100);

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Connection(#[from] zeromq::ZmqError),
    /// The queue did not store a message.
    #[error("message {message} was not stored: {reply}")]
    NotStored {
        /// Which.
        message: u32,
        /// What came instead of a receipt.
        reply: String,
    },
    /// Something came that the protocol does not know.
    #[error("not the Credit protocol: {0}")]
    Protocol(String),
    /// A message came back that was not sent.
    #[error("{0} came back and was not sent")]
    Foreign(String),
    /// The time was over.
    #[error("the messages were not stored and read back in time")]
    Late,
}

/// Sends `count` messages, each once the one before has its receipt.
pub(super) async fn send(endpoint: &str, name: &str, count: u32) -> Result<(), ExchangeError> {
    let mut socket = connect(endpoint).await;
    for message in 0..count {
        // Behind the empty envelope is the body.
        socket.send(frames([b"", body(name, message).as_bytes()])).await?;
        let reply = socket.recv().await?.into_vec();
        if !is_stored(&reply) {
            return Err(ExchangeError::NotStored { message, reply: shown(&reply) });
        }
    }
    Ok(())
}

/// Takes the `count` messages back, in whatever order and however often they come, and acknowledges
/// each.
pub(super) async fn receive(endpoint: &str, name: &str, count: u32) -> Result<(), ExchangeError> {
    let sent: BTreeSet<String> = (0..count).map(|message| body(name, message)).collect();
    let mut missing = sent.clone();
    let mut socket = connect(endpoint).await;
    while !missing.is_empty() {
        let said = socket.recv().await?.into_vec();
        match heard(&said) {
            Heard::Hello => {
                socket.send(frames([b"CREDIT".as_slice(), count.to_string().as_bytes()])).await?;
            }
            Heard::Message(token, body) => {
                if !sent.contains(&body) {
                    return Err(ExchangeError::Foreign(body));
                }
                missing.remove(&body);
                socket.send(frames([b"ACK".as_slice(), &token])).await?;
            }
            Heard::Other => return Err(ExchangeError::Protocol(shown(&said))),
        }
    }
    // Acknowledgements are not answered, but in order: the answer to one without tokens proves that
    // those before it were heard.
    socket.send(ZmqMessage::from(Bytes::from_static(b"ACK"))).await?;
    while matches!(heard(&socket.recv().await?.into_vec()), Heard::Message(..)) {}
    Ok(())
}

/// Connects for as long as it takes. A name that does not resolve yet is one reason to wait.
async fn connect(endpoint: &str) -> DealerSocket {
    loop {
        let mut options = SocketOptions::default();
        options.connect_timeout(ATTEMPT);
        let mut socket = DealerSocket::with_options(options);
        if socket.connect(endpoint).await.is_ok() {
            return socket;
        }
        sleep(PAUSE).await;
    }
}

fn body(name: &str, message: u32) -> String {
    format!("{name} {message}")
}

fn frames<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> ZmqMessage {
    let mut parts = parts.into_iter().map(Bytes::copy_from_slice);
    let mut message = ZmqMessage::from(parts.next().unwrap_or_default());
    parts.for_each(|part| message.push_back(part));
    message
}

/// `"" 200 seq`.
fn is_stored(reply: &[Bytes]) -> bool {
    matches!(reply, [envelope, code, seq] if envelope.is_empty() && code == "200" && !seq.is_empty())
}

/// What a queue says on Credit.
#[derive(Debug, PartialEq)]
enum Heard {
    Hello,
    /// Token and body.
    Message(Bytes, String),
    Other,
}

fn heard(said: &[Bytes]) -> Heard {
    match said {
        [verb, version, _] if verb == "HELLO" && version == "1" => Heard::Hello,
        [verb, token, _attempt, _seq, delimiter, body] if verb == "MSG" && delimiter.is_empty() => {
            Heard::Message(token.clone(), String::from_utf8_lossy(body).into_owned())
        }
        _ => Heard::Other,
    }
}

fn shown(frames: &[Bytes]) -> String {
    let shown = frames
        .iter()
        .take(6)
        .map(|frame| String::from_utf8_lossy(frame.get(..40).unwrap_or(frame)).into_owned());
    format!("{:?}", shown.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&'static str]) -> Vec<Bytes> {
        parts.iter().map(|part| Bytes::from_static(part.as_bytes())).collect()
    }

    #[test]
    fn what_is_said_is_told_apart() {
        assert!(is_stored(&of(&["", "200", "17"])));
        for other in [&["", "503"][..], &["", "200"], &["200", "17"], &[]] {
            assert!(!is_stored(&of(other)), "{other:?}");
        }
        assert_eq!(heard(&of(&["HELLO", "1", "ab"])), Heard::Hello);
        let message = Heard::Message(Bytes::from_static(b"t"), "q 1".to_owned());
        assert_eq!(heard(&of(&["MSG", "t", "1", "17", "", "q 1"])), message);
        for other in [&["HELLO", "2", "ab"][..], &["ERR", "400", "no"], &["MSG", "t"], &[]] {
            assert_eq!(heard(&of(other)), Heard::Other, "{other:?}");
        }
    }

    #[test]
    fn a_message_is_behind_its_envelope() {
        let sent = frames([b"".as_slice(), body("q", 3).as_bytes()]);
        assert_eq!(sent.into_vec(), of(&["", "q 3"]));
    }
}
