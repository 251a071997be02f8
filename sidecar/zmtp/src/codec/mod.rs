//! ZMTP without I/O. Nothing here reads a clock, a socket or a file.

pub mod command;
pub mod frame;
pub mod greeting;
pub mod handshake;
pub mod heartbeat;
pub mod limits;
pub mod metadata;
pub mod null;
pub mod reason;
pub mod reconnect;
pub mod scanner;
pub mod socket_type;
