//! libzmq sockets that give up after a while instead of hanging the test.

use super::PATIENCE;

/// ZMQ_PROBE_ROUTER (zmq_setsockopt(3)), which the binding does not know; so for the next two.
pub(crate) const PROBE_ROUTER: i32 = 51;
/// ZMQ_REQ_CORRELATE.
pub(crate) const REQ_CORRELATE: i32 = 52;
/// ZMQ_REQ_RELAXED.
pub(crate) const REQ_RELAXED: i32 = 53;

/// ZMQ_RECONNECT_STOP, and its bit for handshakes that fail.
pub(crate) const RECONNECT_STOP: i32 = 109;
pub(crate) const RECONNECT_STOP_HANDSHAKE_FAILED: i32 = 2;

/// A socket in a context of its own, so that dropping it is like its process ending.
pub(crate) fn unconnected(kind: zmq::SocketType) -> zmq::Socket {
    unconnected_in(&zmq::Context::new(), kind)
}

/// The same in a context that others share.
pub(crate) fn unconnected_in(context: &zmq::Context, kind: zmq::SocketType) -> zmq::Socket {
    let socket = context.socket(kind).unwrap();
    let patience = i32::try_from(PATIENCE.as_millis()).unwrap();
    socket.set_linger(patience).unwrap();
    socket.set_rcvtimeo(patience).unwrap();
    socket.set_sndtimeo(patience).unwrap();
    socket
}

/// The same, connected.
pub(crate) fn connected(kind: zmq::SocketType, endpoint: &str) -> zmq::Socket {
    let socket = unconnected(kind);
    socket.connect(endpoint).unwrap();
    socket
}

/// Sets an option that the binding does not know, an `int`.
pub(crate) fn set_option(socket: &mut zmq::Socket, option: i32, value: i32) {
    // SAFETY: the socket is open, and libzmq reads one `int` from the pointer.
    let rc = unsafe {
        let value: *const i32 = &raw const value;
        zmq_sys::zmq_setsockopt(socket.as_mut_ptr(), option, value.cast(), size_of::<i32>())
    };
    assert_eq!(rc, 0, "option {option}");
}

/// Sends one message of these frames.
pub(crate) fn send(socket: &zmq::Socket, frames: &[&[u8]]) {
    socket.send_multipart(frames, 0).unwrap();
}

/// Receives one message.
pub(crate) fn receive(socket: &zmq::Socket) -> Vec<Vec<u8>> {
    socket.recv_multipart(0).unwrap()
}
