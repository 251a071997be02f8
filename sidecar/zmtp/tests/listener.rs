//! What binding makes of an endpoint.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panic")]

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use lifeboat_zmtp::{Endpoint, Listener};

async fn bound(endpoint: &str, default_host: &str) -> String {
    let endpoint = endpoint.parse().unwrap();
    Listener::bind(&endpoint, default_host).await.unwrap().local_endpoint().to_string()
}

#[tokio::test]
async fn the_real_address_and_port_are_told() {
    for (endpoint, default_host, prefix) in [
        ("tcp://*:*", "127.0.0.1", "tcp://127.0.0.1:"),
        ("tcp://*:0", "0.0.0.0", "tcp://0.0.0.0:"),
        ("tcp://127.0.0.1:*", "0.0.0.0", "tcp://127.0.0.1:"),
        ("tcp://localhost:*", "0.0.0.0", "tcp://"),
    ] {
        let bound = bound(endpoint, default_host).await;
        assert!(bound.starts_with(prefix), "{bound}");
        assert_ne!(bound.rsplit_once(':').unwrap().1, "0");
    }
}

#[tokio::test]
async fn a_port_in_use_is_refused() {
    let first = Listener::bind(&"tcp://*:*".parse().unwrap(), "127.0.0.1").await.unwrap();
    let second = Listener::bind(first.local_endpoint(), "127.0.0.1").await;
    assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[tokio::test]
async fn only_a_socket_file_that_nobody_answers_on_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let endpoint = Endpoint::ipc(&path).unwrap();

    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a dead listener leaves its file");
    let ours = Listener::bind(&endpoint, "").await.unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o660);
    UnixStream::connect(&path).unwrap();

    let second = Listener::bind(&endpoint, "").await;
    assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(ours);
    assert!(!path.exists(), "its own file is removed");

    std::fs::write(&path, "data").unwrap();
    assert_eq!(Listener::bind(&endpoint, "").await.unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(std::fs::read(&path).unwrap(), b"data", "a file that is no socket stays");
}

#[tokio::test]
async fn a_file_that_took_our_files_place_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let ours = Listener::bind(&Endpoint::ipc(&path).unwrap(), "").await.unwrap();
    std::fs::rename(&path, dir.path().join("away")).unwrap();
    let theirs = UnixListener::bind(&path).unwrap();
    drop(ours);
    assert!(path.exists());
    drop(theirs);
}
