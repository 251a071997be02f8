//! A libzmq socket whose events can be waited for (zmq_socket_monitor(3)).

use std::cell::RefCell;

use zmq::SocketEvent;

use super::sockets::unconnected_in;

/// A socket and what has happened to its connections.
pub(crate) struct Watched {
    pub(crate) socket: zmq::Socket,
    events: zmq::Socket,
    seen: RefCell<Vec<u16>>,
}

impl Watched {
    /// An unconnected socket. Dropped, it forgets what it has not sent.
    pub(crate) fn new(kind: zmq::SocketType) -> Self {
        const ENDPOINT: &str = "inproc://events";
        let context = zmq::Context::new();
        let socket = unconnected_in(&context, kind);
        socket.set_linger(0).unwrap();
        socket.monitor(ENDPOINT, SocketEvent::ALL as i32).unwrap();
        let events = unconnected_in(&context, zmq::PAIR);
        events.connect(ENDPOINT).unwrap();
        Self { socket, events, seen: RefCell::default() }
    }

    /// Waits for the next event of this kind.
    pub(crate) fn wait(&self, event: SocketEvent) {
        while self.next(0) != Some(event.to_raw()) {}
    }

    /// How many events of this kind there have been.
    pub(crate) fn count(&self, event: SocketEvent) -> usize {
        while self.next(zmq::DONTWAIT).is_some() {}
        self.seen.borrow().iter().filter(|&&seen| seen == event.to_raw()).count()
    }

    /// The next event: a frame that starts with its number, and a frame with the endpoint.
    fn next(&self, flags: i32) -> Option<u16> {
        let frames = match self.events.recv_multipart(flags) {
            Err(zmq::Error::EAGAIN) if flags == zmq::DONTWAIT => return None,
            frames => frames.expect("an event in time"),
        };
        let event = u16::from_ne_bytes([frames[0][0], frames[0][1]]);
        self.seen.borrow_mut().push(event);
        Some(event)
    }
}
