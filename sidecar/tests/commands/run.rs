//! How `lifeboat run` starts and ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Home, Lifeboat, until};
use crate::{CREDIT, PULL, RECEIPTS, Running, lifeboat};

#[test]
fn a_wrong_file_is_refused_by_field_and_nothing_is_touched() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::new(&format!(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: PersistentQueue\nmetadata: {{name: q}}\n\
         spec:\n  storage: {{size: 1Mi}}\n  streams:\n    - name: work\n      \
         ingress: [{{name: in, socket: PULL, bind: \"tcp://{free}\"}}, {{name: b, socket: PUSH}}]\n      \
         deliveries: [{{name: out, socket: ROUTER, protocol: Credit, ackTimeout: soon}}]\n      \
         surprise: 1\n"
    ));
    let (file, data) = (home.file(), home.data());
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    let outcome = lifeboat(&["run", file, "--data", data, "--admin", "off"], "").fails(
        64,
        &[
            "spec.storage.size",
            "spec.streams[0].ingress[1].socket",
            "spec.streams[0].deliveries[0].ackTimeout",
            "spec.streams[0].surprise",
        ],
    );
    assert!(outcome.stderr.lines().all(|line| line.starts_with(file)), "{outcome:?}");
    assert_eq!(outcome.stdout, "");
    assert!(!home.data().exists());
    assert!(TcpStream::connect(free).is_err());
    lifeboat(&["run", "/nowhere/queue.yaml"], "").fails(64, &["/nowhere/queue.yaml"]);
}

#[test]
fn a_data_directory_has_one_queue() {
    let queue = Running::start(PULL, CREDIT);
    let (file, data) = (queue.home.file(), queue.home.data());
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    lifeboat(&["run", file, "--data", data, "--admin", "off"], "").fails(75, &[data, "another"]);
    // The first one was not disturbed.
    queue.run(&["send", "work.push", "a"]).succeeds();
}

#[test]
fn a_port_in_use_is_named_with_its_field() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = format!("tcp://{}", taken.local_addr().unwrap());
    let home = Home::queue(&format!("{{name: in, socket: PULL, bind: \"{bind}\"}}"), CREDIT);
    let (file, data) = (home.file(), home.data());
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    let run = ["run", file, "--data", data, "--admin"];
    lifeboat(&[&run[..], &["off"]].concat(), "")
        .fails(69, &["spec.streams[0].ingress[0].bind", &bind, "in use"]);
    let home = Home::queue(PULL, CREDIT);
    let (file, data) = (home.file(), home.data());
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    let admin = taken.local_addr().unwrap().to_string();
    lifeboat(&["run", file, "--data", data, "--admin", &admin], "")
        .fails(69, &["--admin", &admin, "in use"]);
}

#[test]
fn sigterm_ends_it_in_time_with_its_backlog_kept() {
    let Running { home, process } = Running::start(RECEIPTS, CREDIT);
    let data = home.data();
    let send = ["send", "work.receipts", "--count", "1000", "--size", "100", "--data"];
    lifeboat(&[&send[..], &[data.to_str().unwrap()]].concat(), "").succeeds();
    // Peers that do not go by themselves.
    let _stubborn: Vec<TcpStream> =
        ["work.receipts", "work.workers"].map(|name| dealer(process.endpoint(name))).into();
    let asked = Instant::now();
    assert_eq!(process.stop().code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    assert!(!data.join("control.sock").exists());
    let process = home.start();
    let queue = Running { home, process };
    assert_eq!(queue.depth(), 1000);
}

#[test]
fn a_second_sigint_ends_it_at_once() {
    // The second must come while it waits for the peer, which is about a second.
    let code = (0..10).map(|_| code_of_two_sigints()).find(|code| *code != Some(0));
    assert_eq!(code, Some(Some(1)));
}

fn code_of_two_sigints() -> Option<i32> {
    let Running { home, mut process } = Running::start(RECEIPTS, CREDIT);
    // It would wait for this peer to close.
    let _stubborn = dealer(process.endpoint("work.workers"));
    process.signal(Signal::INT);
    until("it is stopping", || !home.data().join("control.sock").exists());
    process.signal(Signal::INT);
    process.wait().code()
}

#[test]
fn sigint_ends_it_well() {
    let Running { process, .. } = Running::start(RECEIPTS, CREDIT);
    process.signal(Signal::INT);
    let mut process: Lifeboat = process;
    assert_eq!(process.wait().code(), Some(0));
}

/// A DEALER by hand, past its handshake, that will neither read nor close.
fn dealer(endpoint: &str) -> TcpStream {
    let mut stream = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    stream.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    let mut greeting = [0; 64];
    (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
    greeting[12..16].copy_from_slice(b"NULL");
    stream.write_all(&greeting).unwrap();
    stream.write_all(b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER").unwrap();
    // Its greeting, and the header and name of its READY.
    let mut answer = [0; 64 + 8];
    stream.read_exact(&mut answer).unwrap();
    assert!(answer.ends_with(b"READY"), "{answer:?}");
    stream
}
