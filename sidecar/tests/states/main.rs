//! A sidecar in a pod: what its states open and close, how it gets from one to another, and what it
//! says of itself meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod closed;
mod drain;
mod fence;
mod mounted;
mod quiesce;
#[path = "../support/mod.rs"]
mod support;

use std::net::TcpStream;
use std::process::Command;

use lifeboat_sidecar::reload::watch::hash;
use lifeboat_sidecar::status::{State, Status};
use rustix::process::Signal;
use support::sockets::{receive, send};
use support::{Home, Lifeboat, wait_for, yaml};

const RECEIPTS: &str = "{name: receipts, socket: ROUTER, protocol: Receipt, \
                        bind: \"tcp://127.0.0.1:*\"}";
const PUSH: &str = "{name: push, socket: PULL, bind: \"tcp://127.0.0.1:*\"}";
const OUTBOX: &str = "{name: outbox, socket: ROUTER, protocol: Receipt}";
const OUT: &str = "{name: out, socket: ROUTER, protocol: Credit}";

/// The replica that runs in these tests.
const ORDINAL: &str = "1";

/// The queue's file, with what it says of the replicas.
fn file(replicas: &str) -> String {
    let ingress = [RECEIPTS, PUSH, OUTBOX].join(", ");
    format!("{}replicas: {replicas}\n", yaml("4Gi", &[("work", &ingress, OUT)]))
}

/// The command that runs [`ORDINAL`].
fn command(home: &Home) -> Command {
    let mut command = home.command();
    command.args(["--ordinal", ORDINAL]);
    command
}

/// Has the queue run by what the file says of the replicas from now on.
fn say(home: &Home, lifeboat: &Lifeboat, replicas: &str) -> Status {
    let text = file(replicas);
    home.rewrite(&text);
    lifeboat.signal(Signal::HUP);
    wait_for("the file to be applied", || {
        let status = home.status();
        (status.config.hash == hash(&text)).then_some(status)
    })
}

/// Where an ingress is bound now.
fn endpoint(home: &Home, name: &str) -> String {
    let ingress = home.stream("work").ingress;
    ingress.into_iter().find(|it| it.socket.name == name).unwrap().socket.endpoint
}

/// Whether anybody listens there.
fn answers(endpoint: &str) -> bool {
    TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).is_ok()
}

/// Sends one message and has its receipt.
fn produce(producer: &zmq::Socket, body: &str) {
    send(producer, &[body.as_bytes()]);
    assert_eq!(receive(producer)[0], b"200");
}

/// What the probes, the metrics and the status say of a state that is not open.
fn check_not_open(home: &Home, lifeboat: &Lifeboat, state: State) {
    let status = home.status();
    assert_eq!(status.state, state);
    assert_eq!(lifeboat.probe("/livez").0, 200);
    assert_eq!(lifeboat.probe("/startupz").0, 200);
    let (code, reason) = lifeboat.probe("/readyz");
    assert_eq!(code, 503);
    assert!(reason.starts_with(state.name()) && reason.lines().count() == 1, "{reason:?}");
    check_metric(lifeboat, state);
}

/// The same of a state that is.
fn check_open(home: &Home, lifeboat: &Lifeboat) {
    assert_eq!(home.status().state, State::Open);
    for probe in ["/livez", "/startupz", "/readyz"] {
        assert_eq!(lifeboat.probe(probe), (200, "ok\n".to_owned()), "{probe}");
    }
    check_metric(lifeboat, State::Open);
}

fn check_metric(lifeboat: &Lifeboat, holds: State) {
    for state in State::ALL {
        let label = format!("state=\"{}\"", state.name());
        assert_eq!(lifeboat.metric("lifeboat_state", &[&label]), u64::from(state == holds));
    }
}
