//! A real file system without space, again and again. Needs root, so it is asked for by name:
//! `cargo test -p lifeboat-sidecar --test real_disk -- --ignored`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic
#![allow(clippy::cast_possible_truncation)] // counts are small

mod support;

use lifeboat_sidecar::status::StreamState;
use support::credit::App;
use support::loop_disk::LoopDisk;
use support::sockets::{connected, receive, send, unconnected};
use support::tally::{number, numbered};
use support::{Home, Lifeboat, wait_for};

const IN: &str = "{name: in, socket: ROUTER, protocol: Receipt, bind: \"tcp://127.0.0.1:*\"}";
const OUT: &str = "{name: out, socket: ROUTER, protocol: Credit, maxInFlight: 256}";
const DISK_BYTES: u64 = 192 << 20;
const LEN: usize = 64 << 10;

/// A queue on a disk of its own, which is unmounted before the directory goes.
struct Site {
    disk: LoopDisk,
    home: Home,
}

impl Site {
    fn new() -> Self {
        // Larger than the disk: the disk is the limit, and anybody else on it.
        let home = Home::sized("10Gi", IN, OUT);
        let disk = LoopDisk::new(&home.path().join("disk"), &home.data(), DISK_BYTES);
        Self { disk, home }
    }

    fn is_full(&self) -> bool {
        self.home.stream("work").state == StreamState::Full
    }
}

/// A producer that has sent more than was receipted.
struct Producer {
    dealer: zmq::Socket,
    sent: usize,
    receipted: usize,
}

impl Producer {
    fn new(lifeboat: &Lifeboat) -> Self {
        let dealer = unconnected(zmq::DEALER);
        dealer.set_sndhwm(0).unwrap();
        dealer.connect(lifeboat.endpoint("work.in")).unwrap();
        Self { dealer, sent: 0, receipted: 0 }
    }

    fn send(&mut self, count: usize) {
        for _ in 0..count {
            send(&self.dealer, &[&numbered(self.sent, LEN)]);
            self.sent += 1;
        }
    }

    fn all_receipted(&mut self) {
        while self.receipted < self.sent {
            let seq = self.receipted.to_string().into_bytes();
            assert_eq!(receive(&self.dealer), [b"200".to_vec(), seq]);
            self.receipted += 1;
        }
    }
}

/// Takes and settles the records from `from` to `to`, each once and in order.
fn settle(app: &App, from: usize, to: usize) {
    for at in from..to {
        let msg = app.next();
        assert_eq!((msg.seq, msg.attempt, number(&msg.body[0])), (at as u64, 1, at as u64));
        app.ack(&[msg]);
    }
}

#[test]
#[ignore = "needs root: mounts a file system"]
fn a_volume_is_filled_and_freed_twenty_times_without_a_hand() {
    let site = Site::new();
    let lifeboat = site.home.start();
    let mut producer = Producer::new(&lifeboat);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 256);
    for round in 0..20 {
        let settled = producer.sent;
        let alien = site.disk.fill();
        // Segments of the last round may still be going, so how much it takes is not known.
        wait_for("the volume to be full", || {
            let full = site.is_full();
            if !full {
                producer.send(10);
            }
            full.then_some(())
        });
        if round % 2 == 0 {
            // Somebody else makes room.
            drop(alien);
            producer.all_receipted();
            settle(&app, settled, producer.sent);
        } else {
            // Room comes of draining alone: the segments that were settled.
            let stored = site.home.stream("work").durable_end as usize;
            settle(&app, settled, stored);
            drop(alien);
            producer.all_receipted();
            settle(&app, stored, producer.sent);
        }
    }
    wait_for("all to be settled", || (site.home.stream("work").depth == 0).then_some(()));
    assert!(lifeboat.stop().success());
}

#[test]
#[ignore = "needs root: mounts a file system"]
fn a_start_on_a_full_disk_serves_what_is_there() {
    let site = Site::new();
    let lifeboat = site.home.start();
    let mut producer = Producer::new(&lifeboat);
    producer.send(500);
    producer.all_receipted();
    drop(producer);
    lifeboat.kill();
    for _ in 0..3 {
        let alien = site.disk.fill();
        let lifeboat = site.home.start();
        assert_eq!(site.home.stream("work").depth, 500);
        lifeboat.kill();
        drop(alien);
    }
    let alien = site.disk.fill();
    let lifeboat = site.home.start();
    let req = connected(zmq::REQ, lifeboat.endpoint("work.in"));
    send(&req, &[&numbered(500, LEN)]);
    let app = App::with_credit(lifeboat.endpoint("work.out"), 256);
    settle(&app, 0, 500);
    // Drained segments are space again, though the disk has none to give.
    assert_eq!(receive(&req), [b"200".to_vec(), b"500".to_vec()]);
    settle(&app, 500, 501);
    drop(alien);
    assert!(lifeboat.stop().success());
}
