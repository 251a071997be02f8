//! `replicas.<n>.logId`: another volume than the expected one is touched by nobody.

use std::time::{Duration, Instant};

use lifeboat_sidecar::status::State;
use rustix::process::Signal;

use crate::support::credit::App;
use crate::support::sockets::connected;
use crate::support::{Home, wait_for};
use crate::{Lifeboat, check_not_open, check_open, command, endpoint, file, produce, say};

fn expecting(log_id: &str) -> String {
    format!("{{1: {{logId: \"{log_id}\"}}}}")
}

#[test]
fn an_exchanged_volume_stays_closed_until_the_file_expects_it() {
    let home = Home::new(&file("{}"));
    let process = Lifeboat::start(command(&home));
    let first = home.status().volume_id;
    let status = say(&home, &process, &expecting(&first));
    assert_eq!((status.state, &status.log_id), (State::Open, &first));
    produce(&connected(zmq::DEALER, &endpoint(&home, "outbox")), "kept");
    assert_eq!(process.stop().code(), Some(0));

    // An empty volume in its place.
    let aside = home.path().join("aside");
    std::fs::rename(home.data(), &aside).unwrap();
    let process = Lifeboat::start(command(&home));
    check_not_open(&home, &process, State::Closed);
    let second = home.status().volume_id;
    assert_ne!(second, first, "it does not take the id that is expected");
    let (_, reason) = process.probe("/readyz");
    assert!(reason.contains(&first), "{reason}");
    assert_eq!(std::fs::read_dir(home.data().join("sockets")).unwrap().count(), 0);
    // Not even a drain opens it.
    let drain = format!("{{1: {{logId: \"{first}\", drain: true}}}}");
    say(&home, &process, &drain);
    check_not_open(&home, &process, State::Closed);
    // It is still closed after a restart.
    process.kill();
    let process = Lifeboat::start(command(&home));
    check_not_open(&home, &process, State::Closed);
    assert_eq!(home.status().volume_id, second);

    // The way out: it is the one that is expected from now on.
    say(&home, &process, &expecting(&second));
    check_open(&home, &process);
    produce(&connected(zmq::DEALER, &endpoint(&home, "outbox")), "new");
    assert_eq!(process.stop().code(), Some(0));

    // The first one comes back; nobody expects any in particular then.
    std::fs::remove_dir_all(home.data()).unwrap();
    std::fs::rename(&aside, home.data()).unwrap();
    let process = Lifeboat::start(command(&home));
    check_not_open(&home, &process, State::Closed);
    say(&home, &process, "{}");
    check_open(&home, &process);
    let out = home.delivery("out").socket.unwrap().endpoint;
    let app = App::with_credit(&out, 1);
    assert_eq!(app.settle(1)[0].body, [b"kept"]);
}

#[test]
fn what_a_closed_volume_holds_does_not_become_too_old() {
    let aged = |replicas: &str| {
        file(replicas).replace("]}\nreplicas", "], retention: {maxAge: 3s}}\nreplicas")
    };
    let change = |home: &Home, process: &Lifeboat, replicas: &str| {
        home.rewrite(&aged(replicas));
        process.signal(Signal::HUP);
    };
    let home = Home::new(&aged("{}"));
    let process = Lifeboat::start(command(&home));
    let own = home.status().volume_id;
    change(&home, &process, &expecting(&"0".repeat(32)));
    wait_for("it to close", || (home.status().state == State::Closed).then_some(()));
    change(&home, &process, &expecting(&own));
    wait_for("it to open", || (home.status().state == State::Open).then_some(()));
    let stored = Instant::now();
    produce(&connected(zmq::DEALER, &endpoint(&home, "outbox")), "kept");
    change(&home, &process, &expecting(&"0".repeat(32)));
    wait_for("it to close", || (home.status().state == State::Closed).then_some(()));
    let old = || (stored.elapsed() > Duration::from_millis(3500)).then_some(());
    wait_for("the record to be old", old);
    assert_eq!((home.delivery("out").depth, home.delivery("out").expired), (1, 0));
    // Nor does it after a restart.
    process.kill();
    let process = Lifeboat::start(command(&home));
    check_not_open(&home, &process, State::Closed);
    assert_eq!((home.delivery("out").depth, home.delivery("out").expired), (1, 0));
    change(&home, &process, &expecting(&own));
    wait_for("it to expire", || (home.delivery("out").expired == 1).then_some(()));
}
