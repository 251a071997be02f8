//! Row 27. Endpoints: IPv6, and the files of ipc sockets.

use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use super::support::sockets::{connected, receive, send, unconnected};
use super::support::{Home, lifeboat};

#[test]
fn ipv6_is_served_where_the_machine_has_it() {
    let ingress = "{name: in, socket: ROUTER, protocol: Receipt, bind: \"tcp://[::1]:*\"}";
    let home = Home::queue(ingress, "{name: out, socket: PUSH, bind: \"tcp://[::1]:*\"}");
    if TcpListener::bind("[::1]:0").is_err() {
        let (file, data) = (home.file(), home.data());
        let arguments = ["run", file.to_str().unwrap(), "--data", data.to_str().unwrap()];
        assert_eq!(lifeboat(&arguments, "").code, Some(69), "cannot bind");
        return;
    }
    let queue = home.start();
    assert!(queue.endpoint("work.in").starts_with("tcp://[::1]:"));
    let sockets = [(zmq::REQ, "work.in"), (zmq::PULL, "work.out")].map(|(kind, name)| {
        let socket = unconnected(kind);
        socket.set_ipv6(true).unwrap();
        socket.connect(queue.endpoint(name)).unwrap();
        socket
    });
    send(&sockets[0], &[b"body"]);
    assert_eq!(receive(&sockets[0])[0], b"200");
    assert_eq!(receive(&sockets[1]), [b"body"]);
}

#[test]
fn socket_files_that_a_killed_sidecar_left_are_replaced_and_open_to_owner_and_group() {
    let home = Home::queue(
        "{name: in, socket: ROUTER, protocol: Receipt}",
        "{name: acked, socket: ROUTER, protocol: Credit}",
    );
    for _ in 0..3 {
        let queue = home.start();
        let req = connected(zmq::REQ, queue.endpoint("work.in"));
        send(&req, &[b"body"]);
        assert_eq!(receive(&req)[0], b"200");
        let paths = ["work.in", "work.acked"]
            .map(|name| queue.endpoint(name).strip_prefix("ipc://").unwrap().to_owned());
        let mode = |path: &str| Path::new(path).metadata().unwrap().permissions().mode() & 0o777;
        assert!(paths.iter().all(|path| mode(path) == 0o660));
        queue.kill();
        for path in &paths {
            assert!(Path::new(path).metadata().unwrap().file_type().is_socket(), "left behind");
        }
    }
}
