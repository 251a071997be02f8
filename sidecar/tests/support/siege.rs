//! Attackers in bulk, each wave the work of one call. Nothing here looks at what becomes of others.

use std::thread;

use lifeboat_zmtp::codec::greeting::greeting;
use lifeboat_zmtp::push_frame;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::raw::{Raw, ready, ready_as};

/// Gives this process as many file descriptors as it may have.
pub(crate) fn raise_descriptors() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// Opens so many connections at one time, each with its handshake under way, and closes them all
/// once each was let in or turned away. Returns how many were let in.
pub(crate) fn churn(endpoint: &str, connections: usize) -> usize {
    let hello = [&greeting("NULL")[..], &ready("PUSH")].concat();
    let open = |_| {
        let mut raw = Raw::connect(endpoint);
        // One that is over the cap may be closed already.
        raw.send(&hello);
        raw
    };
    let mut raws: Vec<Raw> = (0..connections).map(open).collect();
    raws.iter_mut().map(Raw::hears).filter(|&let_in| let_in).count()
}

/// One connection for each byte of greeting and READY, stopped right before it.
pub(crate) fn loris(endpoint: &str) -> Vec<Raw> {
    let hello = [&greeting("NULL")[..], &ready("DEALER")].concat();
    let stop_at = |at| {
        let mut raw = Raw::connect(endpoint);
        assert!(raw.send(&hello[..at]));
        raw
    };
    (0..hello.len()).map(stop_at).collect()
}

/// Producers that send until nothing more is taken, and read no receipt. Each receipt repeats a long
/// envelope.
pub(crate) fn deaf_producers(endpoint: &str, count: usize) -> Vec<Raw> {
    let mut run = Vec::new();
    for _ in 0..1000 {
        push_frame(&mut run, true, &[7; 200]);
        push_frame(&mut run, true, b"");
        push_frame(&mut run, false, b"deaf");
    }
    stuck_senders(endpoint, "DEALER", count, &run)
}

/// So many peers of this type that send this until nothing more is taken.
pub(crate) fn stuck_senders(endpoint: &str, socket: &str, count: usize, run: &[u8]) -> Vec<Raw> {
    let fill = || {
        let mut raw = Raw::ready(endpoint, socket);
        raw.fill(run);
        raw
    };
    thread::scope(|scope| {
        let raws: Vec<_> = (0..count).map(|_| scope.spawn(fill)).collect();
        raws.into_iter().map(|raw| raw.join().unwrap()).collect()
    })
}

/// So many producers connect at one time under one routing id, send a message each, have their
/// receipts, and are gone.
pub(crate) fn storm(endpoint: &str, producers: usize) {
    let ready = ready_as("DEALER", "the same");
    let mut message = Vec::new();
    push_frame(&mut message, false, b"storm");
    let mut raws: Vec<Raw> = (0..producers).map(|_| Raw::ready_with(endpoint, &ready)).collect();
    for raw in &mut raws {
        assert!(raw.send(&message));
    }
    for raw in &mut raws {
        assert_eq!(raw.receive(5), b"\x01\x03200");
    }
}
