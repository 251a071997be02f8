//! Lifeboat as a client of its own sockets: what `send`, `receive` and `demo` are made of.
//!
//! [`ReceiptProducer`] and [`CreditConsumer`] speak the two protocols and keep their promise across
//! lost connections; [`Push`] and [`Pull`] are the plain sockets. Nothing here prints, and nothing
//! here is used by the queue itself.
//!
//! The engine is the `zeromq` crate. What it lacks, and where that is made good:
//! - It does not connect again once a connection is lost, and `recv` then waits for ever: `link`
//!   listens to the monitor and says that the connection is lost, the protocols connect anew.
//! - A connection attempt waits up to 30 s between two tries: `link` makes many short ones.
//! - Nothing waits for queued output at the end, and a sent message is only queued: `link` waits
//!   until the writing task has ended, [`Push`] also until each message has been written.
//! - The send queue holds 100,000 messages of any size: [`Push`] bounds it in bytes, the protocols
//!   by their windows. Beneath that bound a send never waits, so none is ever cancelled midway (a
//!   cancelled send may go out all the same).
//! - A DEALER goes on behind a violation of the protocol: here that is the end of the connection.
//! - A dropped PULL leaves its connections open: [`Pull`] shuts them down.

mod credit;
mod dealer;
mod link;
mod pull;
mod push;
mod receipts;

use bytes::Bytes;
use zeromq::ZmqError;

pub use self::credit::{CreditConsumer, Delivered, Heard};
pub use self::pull::Pull;
pub use self::push::Push;
pub use self::receipts::{Answer, MAX_WINDOW, ReceiptProducer};

/// The frames of one message; never none.
pub type Frames = Vec<Bytes>;

/// Why a client gives up, or what its caller must decide on.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection came about within the caller's patience.
    #[error("cannot connect to {endpoint}: {source}")]
    Connect {
        /// Where to.
        endpoint: String,
        /// The last attempt's error.
        source: ZmqError,
    },
    /// Something answers there, and refuses the handshake or speaks no ZeroMQ.
    #[error("{endpoint} refuses this kind of socket: {source}")]
    Refused {
        /// Where to.
        endpoint: String,
        /// Why, as far as the engine tells.
        source: ZmqError,
    },
    /// The connection was lost. What was sent on it may or may not have been heard.
    #[error("the connection was lost")]
    Lost,
    /// The peer is slower than the caller's patience.
    #[error("no answer in time")]
    Timeout,
    /// The peer speaks another protocol.
    #[error("not the {expected} protocol: {found}")]
    Protocol {
        /// What was expected.
        expected: &'static str,
        /// What came, readable.
        found: String,
    },
    /// A message without frames was to be sent.
    #[error("a message has at least one frame")]
    NoFrames,
}

/// Frames as an error message shows them: lossy, cut.
fn readable(frames: &[Bytes]) -> String {
    let shown: Vec<_> = frames
        .iter()
        .take(6)
        .map(|frame| String::from_utf8_lossy(frame.get(..40).unwrap_or(frame)).into_owned())
        .collect();
    format!("{shown:?}")
}
