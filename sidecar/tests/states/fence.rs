//! `replicas.<n>.fenced`: neither ingress nor delivery, and back.

use lifeboat_sidecar::status::State;

use crate::support::credit::App;
use crate::support::sockets::connected;
use crate::support::{Home, lifeboat};
use crate::{Lifeboat, answers, check_not_open, check_open, command, endpoint, file, produce, say};

#[test]
fn it_cuts_everybody_off_and_lets_them_in_again() {
    let home = Home::new(&file("{}"));
    let process = Lifeboat::start(command(&home));
    let (outbox, out) = (process.endpoint("work.outbox"), process.endpoint("work.out"));
    let producer = connected(zmq::DEALER, outbox);
    (0..4).for_each(|at| produce(&producer, &at.to_string()));
    let app = App::with_credit(out, 2);
    let held = app.take(2);
    app.ack(&held[..1]);
    crate::wait_for("the ack", || (home.delivery("out").cursor == 1).then_some(()));

    let tcp = endpoint(&home, "push");
    say(&home, &process, "{1: {fenced: true, drain: true}}");
    check_not_open(&home, &process, State::Fenced);
    assert!(!answers(&tcp));
    for path in [outbox, out] {
        let path = path.strip_prefix("ipc://").unwrap();
        assert!(!std::path::Path::new(path).exists(), "{path}");
    }
    let status = home.status();
    let delivery = &status.streams[0].deliveries[0];
    let socket = delivery.socket.as_ref().expect("it is closed, not removed");
    assert_eq!(
        (socket.open, delivery.cursor, delivery.depth, delivery.in_flight),
        (false, 1, 3, 0)
    );
    assert!(!status.drained && !status.app_connected);
    // Nobody may take it for one that the file has dropped.
    let data = home.data();
    let arguments =
        ["purge", "work", "--removed", "out", "--yes", "--data", data.to_str().unwrap()];
    assert_eq!(lifeboat(&arguments, "").code, Some(64));

    // From fenced to draining, and then open.
    say(&home, &process, "{1: {drain: true}}");
    check_not_open(&home, &process, State::Draining);
    let again = App::with_credit(out, 8);
    let mut seqs: Vec<u64> = again.settle(3).iter().map(|msg| msg.seq).collect();
    // What was handed out before waits for a sync.
    seqs.sort_unstable();
    assert_eq!(seqs, [1, 2, 3]);
    say(&home, &process, "{}");
    check_open(&home, &process);
    produce(&connected(zmq::DEALER, &endpoint(&home, "receipts")), "4");
    assert_eq!(again.settle(1)[0].seq, 4);
}

#[test]
fn a_sidecar_that_starts_fenced_opens_nothing_and_changes_of_its_file_wait() {
    let home = Home::new(&file("{1: {fenced: true}}"));
    let process = Lifeboat::start(command(&home));
    check_not_open(&home, &process, State::Fenced);
    let sockets = home.data().join("sockets");
    let files = || std::fs::read_dir(&sockets).unwrap().count();
    assert_eq!(files(), 0);
    // A delivery and an ingress that come while it is fenced are there when it is not.
    let more = |replicas: &str| {
        let more = "deliveries: [{name: more, socket: PUSH}, ";
        file(replicas).replace("deliveries: [", more)
    };
    home.rewrite(&more("{1: {fenced: true}}"));
    process.signal(rustix::process::Signal::HUP);
    crate::wait_for("another delivery", || {
        (home.stream("work").deliveries.len() == 2).then_some(())
    });
    assert_eq!(files(), 0);
    home.rewrite(&more("{}"));
    process.signal(rustix::process::Signal::HUP);
    crate::wait_for("the end of the fence", || (home.status().state == State::Open).then_some(()));
    crate::wait_for("its sockets", || (files() == 3).then_some(()));
    produce(
        &connected(zmq::DEALER, &format!("ipc://{}", sockets.join("work.outbox").display())),
        "x",
    );
    let pull = connected(zmq::PULL, &format!("ipc://{}", sockets.join("work.more").display()));
    assert_eq!(pull.recv_bytes(0).unwrap(), b"x");
}
