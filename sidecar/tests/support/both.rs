//! A queue with each kind of socket on both transports: `-tcp` ends the names of those on tcp.

/// The sockets towards producers.
pub(crate) const IN: &str = "{name: push, socket: PULL}, \
     {name: push-tcp, socket: PULL, bind: \"tcp://127.0.0.1:*\"}, \
     {name: in, socket: ROUTER, protocol: Receipt}, \
     {name: in-tcp, socket: ROUTER, protocol: Receipt, bind: \"tcp://127.0.0.1:*\"}";
/// The sockets towards applications.
pub(crate) const OUT: &str = "{name: out, socket: PUSH}, \
     {name: out-tcp, socket: PUSH, bind: \"tcp://127.0.0.1:*\"}, \
     {name: acked, socket: ROUTER, protocol: Credit}, \
     {name: acked-tcp, socket: ROUTER, protocol: Credit, bind: \"tcp://127.0.0.1:*\"}";
/// What ends a socket's name.
pub(crate) const TRANSPORTS: [&str; 2] = ["", "-tcp"];
