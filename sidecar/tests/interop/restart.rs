//! PUSH producers while the sidecar is down, and over its death.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use zmq::SocketEvent;

use super::support::monitor::Watched;
use super::support::sockets::{connected, receive};
use super::support::tally::{number, numbered};
use super::support::{Home, wait_for};

const OUT: &str = "{name: out, socket: PUSH}";

/// A PULL ingress whose endpoint is the same after a restart, over ipc and over tcp.
fn ingresses() -> [String; 2] {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bind = format!("tcp://127.0.0.1:{port}");
    ["{name: in, socket: PULL}".to_owned(), format!("{{name: in, socket: PULL, bind: \"{bind}\"}}")]
}

fn send(socket: &zmq::Socket, at: usize, flags: i32) -> zmq::Result<()> {
    socket.send(numbered(at, 100), flags)
}

/// Waits until so many records are stored.
fn wait_until_stored(home: &Home, count: u64) {
    wait_for("all to be stored", || (home.stream("work").durable_end >= count).then_some(()));
}

// Row 10.
#[test]
fn an_immediate_push_waits_while_the_sidecar_is_down_and_loses_nothing() {
    for ingress in ingresses() {
        let home = Home::queue(&ingress, OUT);
        let lifeboat = home.start();
        let endpoint = lifeboat.endpoint("work.in").to_owned();
        assert_eq!(lifeboat.stop().code(), Some(0));
        let push = Watched::new(zmq::PUSH);
        push.socket.set_immediate(true).unwrap();
        push.socket.connect(&endpoint).unwrap();
        push.wait(SocketEvent::CONNECT_RETRIED);
        assert_eq!(send(&push.socket, 0, zmq::DONTWAIT), Err(zmq::Error::EAGAIN));
        let lifeboat = home.start();
        for at in 0..100 {
            send(&push.socket, at, 0).unwrap();
        }
        wait_until_stored(&home, 100);
        lifeboat.kill();
        push.wait(SocketEvent::DISCONNECTED);
        push.wait(SocketEvent::CONNECT_RETRIED);
        assert_eq!(send(&push.socket, 100, zmq::DONTWAIT), Err(zmq::Error::EAGAIN));
        let lifeboat = home.start();
        for at in 100..200 {
            send(&push.socket, at, 0).unwrap();
        }
        let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
        for at in 0..200 {
            assert_eq!(number(&receive(&app)[0]), at, "{ingress}");
        }
        assert_eq!(home.stream("work").durable_end, 200);
    }
}

// Row 10.
#[test]
fn a_push_queues_up_to_its_limit_while_the_sidecar_is_down_and_loses_nothing() {
    const LIMIT: u16 = 50;
    for ingress in ingresses() {
        let home = Home::queue(&ingress, OUT);
        let lifeboat = home.start();
        let endpoint = lifeboat.endpoint("work.in").to_owned();
        assert_eq!(lifeboat.stop().code(), Some(0));
        let push = Watched::new(zmq::PUSH);
        push.socket.set_sndhwm(LIMIT.into()).unwrap();
        push.socket.connect(&endpoint).unwrap();
        for at in 0..usize::from(LIMIT) {
            send(&push.socket, at, zmq::DONTWAIT).unwrap();
        }
        assert_eq!(send(&push.socket, LIMIT.into(), zmq::DONTWAIT), Err(zmq::Error::EAGAIN));
        let lifeboat = home.start();
        let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
        for at in 0..usize::from(LIMIT) {
            assert_eq!(number(&receive(&app)[0]), at as u64, "{ingress}");
        }
        assert_eq!(home.stream("work").durable_end, u64::from(LIMIT));
    }
}

// Row 11. PUSH hears nothing back, so what the buffers between it and the disk held is gone: at the
// kill the client's and our kernel's (tcp grows them to megabytes), our read buffer, and the records
// that wait for their commit.
#[test]
fn a_kill_under_push_load_loses_one_run_no_longer_than_the_buffers() {
    const LEN: usize = 1000;
    const BUFFERS: u64 = 24 << 20;
    for ingress in ingresses() {
        let home = Home::queue(&ingress, OUT);
        let lifeboat = home.start();
        let push = connected(zmq::PUSH, lifeboat.endpoint("work.in"));
        let done = &AtomicBool::new(false);
        let (sent, stored, lifeboat) = thread::scope(|scope| {
            let sender = scope.spawn(move || {
                let mut sent = 0;
                while !done.load(Ordering::Relaxed) {
                    push.send(numbered(sent, LEN), 0).unwrap();
                    sent += 1;
                }
                sent as u64
            });
            wait_until_stored(&home, 5000);
            let stored = home.stream("work").durable_end;
            lifeboat.kill();
            let lifeboat = home.start();
            wait_until_stored(&home, home.stream("work").durable_end + 5000);
            done.store(true, Ordering::Relaxed);
            (sender.join().unwrap(), stored, lifeboat)
        });
        let app = connected(zmq::PULL, lifeboat.endpoint("work.out"));
        let (mut next, mut gaps) = (0, Vec::new());
        while next < sent {
            let number = number(&receive(&app)[0]);
            assert!(number >= next, "{number} comes twice or late");
            if number > next {
                gaps.push(next..number);
            }
            next = number + 1;
        }
        // What was on the disk before the kill is there, and after the gap nothing more is missing.
        assert!(gaps.len() <= 1, "{gaps:?}");
        for gap in gaps {
            assert!(gap.start >= stored, "{gap:?}, and {stored} were stored");
            assert!((gap.end - gap.start) * LEN as u64 <= BUFFERS, "{gap:?}");
        }
    }
}
