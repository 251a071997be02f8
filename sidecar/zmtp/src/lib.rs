//! A hardened ZMTP 3.1 edge (RFC 37, and RFC 23 for 3.0 peers): ZeroMQ peers connect to us, or we to
//! them.
//!
//! - [`codec`] is pure: bytes in, bytes out, time as an argument. It never does I/O and never
//!   allocates by a length that a peer announced.
//! - [`driver`] moves bytes with tokio over tcp and unix sockets: [`Listener::bind`] and [`serve`]
//!   accept and shake hands, [`connect`] dials and shakes hands; then each [`Connection`] belongs to
//!   one task of the caller.
//!
//! The path of a message in: `driver::drive` reads into `driver::buffer`, `codec::scanner` finds
//! the ends of whole messages, the caller reads them in place through [`Connection::messages`].
//! The path out: [`Connection::enqueue`] takes whole messages as wire bytes,
//! `driver::output` writes them, [`Connection::taken`] says how far the peer has read.
//!
//! It must not know what a message means: no envelopes, no receipts, no storage.
#![deny(unsafe_code)]
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod codec;
pub mod driver;

pub use codec::frame::{Frame, frames, push_frame};
pub use codec::greeting::Version;
pub use codec::heartbeat::HeartbeatConfig;
pub use codec::limits::{Limits, Oversize};
pub use codec::reason::CloseReason;
pub use codec::reconnect::ReconnectConfig;
pub use codec::socket_type::SocketType;
pub use driver::accept::serve;
pub use driver::budget::MemoryBudget;
pub use driver::config::ListenerConfig;
pub use driver::connect::connect;
pub use driver::connection::{Connection, Event};
pub use driver::endpoint::{Endpoint, EndpointError};
pub use driver::handlers::Handlers;
pub use driver::listener::Listener;
pub use driver::messages::Messages;
pub use driver::observer::Observer;
pub use driver::peer::Peer;
