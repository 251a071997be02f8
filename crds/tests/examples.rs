//! Every file in `examples/` is one that a user can run as it is.
// A failed step is the test's failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::Duration;

use lifeboat_api::{
    Credit, Dataplane, DeliveryKind, Endpoint, IngressKind, OnDamage, OnFull, Rep, Sync, Trail,
    parse, validate_dataplane,
};

fn load(path: &Path) -> Dataplane {
    let text = std::fs::read_to_string(path).unwrap();
    let tree = parse(&text).unwrap_or_else(|problems| panic!("{}:\n{problems}", path.display()));
    validate_dataplane(&tree).unwrap_or_else(|problems| panic!("{}:\n{problems}", path.display()))
}

fn example(name: &str) -> Dataplane {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name))
}

#[test]
fn every_example_is_accepted() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let paths: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    let yaml = paths.iter().filter(|path| path.extension().is_some_and(|end| end == "yaml"));
    let mut seen = 0;
    for path in yaml {
        load(path).check_sockets(Path::new("/run/lifeboat")).unwrap();
        seen += 1;
    }
    assert!(seen >= 3, "only {seen} examples found");
}

#[test]
fn the_work_queue_resolves() {
    let queue = example("work-queue.yaml");
    assert_eq!(queue.name, "orders");
    assert_eq!(queue.storage_size, 10 << 30);
    assert_eq!(queue.memory, 96 << 20);
    assert_eq!(queue.sync, Sync::Always);
    assert_eq!(queue.ignored, ["spec.replicas", "spec.template"]);
    assert!(queue.replicas.is_empty());
    let [work] = queue.streams.as_slice() else { panic!("one stream") };
    let kinds: Vec<_> = work.ingress.iter().map(|ingress| ingress.kind).collect();
    assert_eq!(kinds, [IngressKind::Pull, IngressKind::Receipt, IngressKind::Pull]);
    assert_eq!(work.ingress[0].limits.max_message_size, 4 << 20);
    assert_eq!(work.ingress[0].limits.hard_cap(), 16 << 20);
    assert_eq!(work.ingress[0].limits.max_connections, 1024);
    let dir = Path::new("/run/lifeboat");
    assert_eq!(work.ingress[1].endpoint_in(dir, "work").to_string(), "tcp://*:5556");
    let outbox = Endpoint::Ipc("/run/lifeboat/work.outbox".into());
    assert_eq!(work.ingress[2].endpoint_in(dir, "work"), outbox);
    let rules = Credit {
        ack_timeout: Duration::from_secs(30),
        max_in_flight: 64,
        max_attempts: 20,
        backoff: [1, 10, 60].map(Duration::from_secs).to_vec(),
    };
    assert_eq!(work.deliveries[0].kind, DeliveryKind::Credit(rules));
    assert_eq!(work.retention.max_bytes, None);
    assert_eq!(work.retention.on_full, OnFull::Block);
    assert_eq!(work.retention.on_damage, OnDamage::Stop);
    assert_eq!(queue.shares(10 << 30), [10 << 30]);
}

#[test]
fn the_rep_workers_resolve() {
    let queue = example("rep-workers.yaml");
    let rules = Rep {
        ack_timeout: Duration::from_secs(60),
        max_attempts: 5,
        backoff: [1, 10, 60].map(Duration::from_secs).to_vec(),
    };
    assert_eq!(queue.streams[0].deliveries[0].kind, DeliveryKind::Rep(rules));
    assert_eq!(queue.streams[0].retention.on_full, OnFull::Reject);
}

#[test]
fn the_plain_hop_resolves() {
    let queue = example("push-pull.yaml");
    let out = &queue.streams[0].deliveries[0];
    assert_eq!(
        out.kind,
        DeliveryKind::Push(Trail { messages: 1000, time: Duration::from_secs(60) })
    );
    let socket = Endpoint::Ipc("/run/lifeboat/events.out".into());
    assert_eq!(out.endpoint_in(Path::new("/run/lifeboat"), "events"), socket);
}

#[test]
fn the_outbox_resolves() {
    let queue = example("outbox.yaml");
    let [sent, feed] = queue.streams.as_slice() else { panic!("two streams") };
    assert!(sent.ingress[0].connect.is_empty());
    assert_eq!(sent.deliveries[0].connect[0].to_string(), "tcp://127.0.0.1:5570");
    assert_eq!(feed.ingress[0].connect.len(), 2);
    assert!(queue.ignored.contains(&"spec.template".to_owned()));
}
