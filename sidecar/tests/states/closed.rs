//! `replicas.<n>.logId`: another volume than the expected one is touched by nobody.

use lifeboat_sidecar::status::State;

use crate::support::Home;
use crate::support::credit::App;
use crate::support::sockets::connected;
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
