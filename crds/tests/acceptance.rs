//! What is accepted, what it resolves to, and what a file with many faults reports.
// A failed step is the test's failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::Duration;

use lifeboat_api::{
    Credit, Dataplane, DeliveryKind, Endpoint, Limits, OnDamage, OnFull, Policy, Problems, Remote,
    Rep, Replica, Retention, Start, Sync, Trail, parse, supported_features, validate_dataplane,
};

fn validate(yaml: &str) -> Result<Dataplane, Problems> {
    parse(yaml).and_then(|tree| validate_dataplane(&tree))
}

fn accept(yaml: &str) -> Dataplane {
    validate(yaml).unwrap_or_else(|problems| panic!("refused:\n{problems}"))
}

/// A queue of one stream `work` with the given ingress and deliveries.
fn queue(ingress: &str, deliveries: &str) -> String {
    format!(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: PersistentQueue\nmetadata: {{name: q}}\n\
         spec:\n  storage: {{size: 1Gi}}\n  streams:\n  - name: work\n    ingress: [{ingress}]\n    \
         deliveries: [{deliveries}]\n"
    )
}

#[test]
fn a_resource_as_the_server_gives_it_is_accepted() {
    let queue = accept(
        "
apiVersion: lifeboat.dev/v1alpha1
kind: PersistentQueue
metadata:
  name: orders
  namespace: shop
  labels: {team: shop}
  uid: 7a3b
  resourceVersion: '42'
  generation: 3
  creationTimestamp: null
  managedFields: [{manager: kubectl}]
spec:
  replicas: 2
  suspend: false
  containers: [app]
  scaleDown: {policy: Drain}
  updateStrategy: {}
  service: {perReplica: true}
  networkPolicy: {enabled: false}
  podDisruptionBudget: {enabled: true}
  sidecar: {memory: 128Mi, logLevel: debug, image: x, resources: {}, env: [], upgrade: Pinned}
  storage: {size: 2Gi, storageClassName: fast, accessMode: ReadWriteOnce, whenScaled: Retain}
  template: {spec: {containers: [{name: app, anything: [1, {a: null}]}]}}
  streams:
  - name: work
    ingress: [{name: in, socket: PULL}]
    deliveries: [{name: out, socket: PUSH}]
status: {replicas: 2, whatever: [1]}
",
    );
    assert_eq!(queue.memory, 128 << 20);
    assert_eq!(queue.storage_size, 2 << 30);
    let ignored = [
        "spec.containers",
        "spec.networkPolicy",
        "spec.podDisruptionBudget",
        "spec.replicas",
        "spec.scaleDown",
        "spec.service",
        "spec.sidecar.env",
        "spec.sidecar.image",
        "spec.sidecar.logLevel",
        "spec.sidecar.resources",
        "spec.sidecar.upgrade",
        "spec.storage.accessMode",
        "spec.storage.storageClassName",
        "spec.storage.whenScaled",
        "spec.suspend",
        "spec.template",
        "spec.updateStrategy",
    ];
    let mut found = queue.ignored.clone();
    found.sort();
    assert_eq!(found, ignored);
}

#[test]
fn the_form_that_pods_get_is_accepted() {
    let id = "0123456789abcdef0123456789abcdef";
    let yaml = queue("{name: in, socket: PULL}", "{name: out, socket: PUSH}")
        + &format!(
            "replicas:\n  0: {{logId: {id}}}\n  '1': {{fenced: true, drain: true}}\n  10: {{}}\n"
        );
    let queue = accept(&yaml);
    let expected = Replica { log_id: Some(id.to_owned()), fenced: false, drain: false };
    assert_eq!(queue.replicas[&0], expected);
    assert_eq!(queue.replicas[&1], Replica { log_id: None, fenced: true, drain: true });
    assert_eq!(queue.replicas[&10], Replica::default());
    assert_eq!(queue.replicas.len(), 3);
    assert!(queue.ignored.is_empty());
}

#[test]
fn what_is_left_out_has_its_default() {
    let queue = accept(&queue(
        "{name: in, socket: ROUTER, protocol: Receipt}",
        "{name: a, socket: ROUTER, protocol: Credit}, {name: b, socket: PUSH, trail: {}}",
    ));
    assert_eq!(queue.memory, 96 << 20);
    assert_eq!(queue.sync, Sync::Always);
    let work = &queue.streams[0];
    let limits = Limits { max_message_size: 4 << 20, max_connections: 1024 };
    assert_eq!(work.ingress[0].limits, limits);
    assert_eq!(work.ingress[0].endpoint, None);
    let credit = Credit {
        ack_timeout: Duration::from_secs(30),
        max_in_flight: 64,
        max_attempts: 20,
        backoff: [1, 10, 60].map(Duration::from_secs).to_vec(),
    };
    assert_eq!(work.deliveries[0].kind, DeliveryKind::Credit(credit));
    assert_eq!(work.deliveries[0].max_connections, 1024);
    let trail = Trail { messages: 1000, time: Duration::from_secs(60) };
    assert_eq!(work.deliveries[1].kind, DeliveryKind::Push(trail));
    let retention = Retention {
        policy: Policy::WorkQueue,
        max_age: None,
        max_messages: None,
        max_bytes: None,
        on_full: OnFull::Block,
        on_damage: OnDamage::Stop,
    };
    assert_eq!(work.retention, retention);
    assert_eq!(work.deliveries[0].from, None);
}

#[test]
fn the_sync_modes_resolve() {
    let with = |durability: &str| {
        let yaml = queue("{name: in, socket: PULL}", "{name: out, socket: PUSH}");
        accept(&yaml.replace("  streams:", &format!("  durability: {{{durability}}}\n  streams:")))
            .sync
    };
    assert_eq!(with(""), Sync::Always);
    assert_eq!(with("sync: Always"), Sync::Always);
    assert_eq!(with("sync: Interval, interval: 200ms"), Sync::Interval(Duration::from_millis(200)));
    assert_eq!(with("sync: None"), Sync::None);
}

/// A queue whose stream has this retention and whose second delivery starts there.
fn kept(retention: &str, from: &str) -> String {
    let deliveries = format!("{{name: a, socket: PUSH}}, {{name: b, socket: PUSH{from}}}");
    queue("{name: in, socket: PULL}", &deliveries) + &format!("    retention: {{{retention}}}\n")
}

#[test]
fn limits_and_starts_resolve() {
    let limits = "policy: Limits, maxAge: 72h, maxMessages: 1000, onFull: DropOldest";
    for (from, expected) in [
        ("", Start::First),
        (", from: First", Start::First),
        (", from: Last", Start::Last),
        (", from: New", Start::New),
        (", from: '17'", Start::Seq(17)),
        (", from: 1970-01-01T00:00:02Z", Start::Time(2_000_000_000)),
    ] {
        let queue = accept(&kept(limits, from));
        let work = &queue.streams[0];
        assert_eq!(work.deliveries[1].from, Some(expected), "{from}");
        assert_eq!(work.deliveries[0].from, Some(Start::First));
        assert_eq!(work.retention.policy, Policy::Limits);
        assert_eq!(work.retention.max_age, Some(Duration::from_secs(72 * 3600)));
        assert_eq!(work.retention.max_messages, Some(1000));
        assert_eq!(work.retention.on_full, OnFull::DropOldest);
    }
    let bytes = accept(&kept("policy: Limits, maxBytes: 100Mi", ""));
    assert_eq!(bytes.streams[0].retention.max_bytes, Some(100 << 20));
    let aged = accept(&kept("maxAge: 1s, onFull: DropOldest", ""));
    assert_eq!(aged.streams[0].retention.max_age, Some(Duration::from_secs(1)));
    assert_eq!(aged.streams[0].retention.policy, Policy::WorkQueue);
}

#[test]
fn a_stream_may_go_on_behind_damage() {
    let text = queue("{name: in, socket: PULL}", "{name: out, socket: PUSH}");
    let text = format!("{text}    retention: {{onDamage: SkipWithGap}}\n");
    assert_eq!(accept(&text).streams[0].retention.on_damage, OnDamage::SkipWithGap);
}

#[test]
fn values_at_their_bounds_are_accepted() {
    let queue = accept(&queue(
        "{name: a, socket: PULL, bind: 'tcp://*:1024', maxMessageSize: 64Mi, maxConnections: 65535},
         {name: b, socket: PULL, bind: 'tcp://[::1]:65535', maxMessageSize: '1', maxConnections: 1},
         {name: c, socket: PULL, bind: 'tcp://127.0.0.1:*'},
         {name: d, socket: PULL, bind: 'tcp://*:0'},
         {name: e, socket: ROUTER, protocol: Receipt, bind: 'ipc:///run/lifeboat/e'}",
        "{name: f, socket: ROUTER, protocol: Credit, bind: 'tcp://localhost:7000', ackTimeout: 10ms,
          maxInFlight: 65536, maxAttempts: 1000000, backoff: [0s, 24h]},
         {name: g, socket: PUSH, trail: {messages: 1000000, time: 24h}}",
    ));
    let work = &queue.streams[0];
    assert_eq!(work.ingress[0].limits.hard_cap(), 64 << 20);
    assert_eq!(work.ingress[1].limits.hard_cap(), 4);
    let DeliveryKind::Credit(credit) = &work.deliveries[0].kind else { panic!("credit") };
    assert_eq!(credit.backoff, [Duration::ZERO, Duration::from_secs(86_400)]);
    let Some(Endpoint::Tcp(tcp)) = &work.ingress[2].endpoint else { panic!("tcp") };
    assert_eq!(tcp.port, 0);
}

#[test]
fn ids_are_remembered_where_the_file_says_so() {
    let receipt = |name: &str, more: &str| {
        format!("{{name: {name}, socket: ROUTER, protocol: Receipt{more}}}")
    };
    let ingress = [
        receipt("a", ""),
        receipt("b", ", dedup: {window: 1s}"),
        receipt("c", ", dedup: {window: 24h}"),
    ];
    let queue = accept(&queue(&ingress.join(", "), "{name: out, socket: PUSH}"));
    let stream = &queue.streams[0];
    let windows: Vec<_> = stream.ingress.iter().map(|ingress| ingress.dedup_window).collect();
    let [second, day] = [1, 24 * 60 * 60].map(Duration::from_secs);
    assert_eq!(windows, [None, Some(second), Some(day)]);
    assert_eq!(stream.dedup_window(), Some(day));
}

#[test]
fn a_delivery_to_rep_applications_has_the_rules_of_acks_but_no_window() {
    let queue = accept(&queue(
        "{name: in, socket: PULL}",
        "{name: a, socket: DEALER},
         {name: b, socket: DEALER, bind: 'tcp://*:7000', maxConnections: 3, ackTimeout: 1m,
          maxAttempts: 1, backoff: [0s]}",
    ));
    let deliveries = &queue.streams[0].deliveries;
    let defaults = Rep {
        ack_timeout: Duration::from_secs(30),
        max_attempts: 20,
        backoff: [1, 10, 60].map(Duration::from_secs).to_vec(),
    };
    assert_eq!(deliveries[0].kind, DeliveryKind::Rep(defaults));
    let backoff = vec![Duration::ZERO];
    let given = Rep { ack_timeout: Duration::from_secs(60), max_attempts: 1, backoff };
    assert_eq!(deliveries[1].kind, DeliveryKind::Rep(given));
    assert_eq!(deliveries[1].max_connections, 3);
}

#[test]
fn a_stream_may_reject_if_one_ingress_gives_receipts() {
    let retention = "    retention: {onFull: Reject}\n";
    let ingress = "{name: a, socket: PULL}, {name: b, socket: ROUTER, protocol: Receipt}";
    let yaml = queue(ingress, "{name: out, socket: PUSH}") + retention;
    assert_eq!(accept(&yaml).streams[0].retention.on_full, OnFull::Reject);
}

#[test]
fn ten_faults_are_ten_problems() {
    let problems = validate(
        "
apiVersion: v1
kind: PersistentQueue
metadata: {name: Orders}
spec:
  storage: {size: 10}
  durability: {sync: Never}
  sidecar: {memory: lots}
  streams:
  - name: work
    ingress:
    - {name: in, socket: PULL, bind: 'tcp://*:80'}
    - {name: in, socket: SUB, curve: {secretName: keys}}
    deliveries:
    - {name: out, socket: PUSH, ackTimeout: 30s}
",
    )
    .expect_err("must be refused");
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    let expected = [
        "apiVersion",
        "metadata.name",
        "spec.storage.size",
        "spec.durability.sync",
        "spec.sidecar.memory",
        "spec.streams[0].ingress[0].bind",
        "spec.streams[0].ingress[1].curve",
        "spec.streams[0].ingress[1].socket",
        "spec.streams[0].deliveries[0].ackTimeout",
        "spec.streams[0].ingress[1].name",
    ];
    assert_eq!(paths, expected);
    assert_eq!(problems.to_string().lines().count(), 10);
}

#[test]
fn shares_follow_the_named_ones_and_shrink_with_the_volume() {
    let stream = |name: &str, retention: &str| {
        format!(
            "  - {{name: {name}, ingress: [{{name: in, socket: PULL}}], \
             deliveries: [{{name: out, socket: PUSH}}], retention: {{{retention}}}}}\n"
        )
    };
    let yaml = "apiVersion: lifeboat.dev/v1alpha1\nkind: PersistentQueue\nmetadata: {name: q}\n\
                spec:\n  storage: {size: 1Gi}\n  streams:\n"
        .to_owned()
        + &stream("a", "maxBytes: 512Mi")
        + &stream("b", "")
        + &stream("c", "");
    let queue = accept(&yaml);
    assert_eq!(queue.shares(1 << 30), [512 << 20, 256 << 20, 256 << 20]);
    assert_eq!(queue.shares(2 << 30), queue.shares(1 << 30));
    assert_eq!(queue.shares(1 << 29), [256 << 20, 128 << 20, 128 << 20]);
    assert_eq!(queue.shares(0), [0, 0, 0]);
}

#[test]
fn sockets_that_connect_are_accepted() {
    let queue = accept(&queue(
        "{name: in, socket: PULL, connect: ['tcp://Feed.example:80', 'ipc:///run/lifeboat/feed']}",
        "{name: far, socket: PUSH, connect: ['tcp://[::1]:5555', 'ipc:///tmp/far']},
         {name: same, socket: PUSH, connect: ['ipc:///run/lifeboat/feed']}",
    ));
    let shown = |remotes: &[Remote]| remotes.iter().map(Remote::to_string).collect::<Vec<_>>();
    let work = &queue.streams[0];
    let expected = ["tcp://feed.example:80", "ipc:///run/lifeboat/feed"];
    assert_eq!(shown(&work.ingress[0].connect), expected);
    assert_eq!(shown(&work.deliveries[0].connect), ["tcp://[::1]:5555", "ipc:///tmp/far"]);
    assert_eq!(work.deliveries[0].endpoint, None);
    let problems = queue.check_sockets(Path::new("/run/lifeboat")).expect_err("must be refused");
    insta::assert_snapshot!(problems.to_string(), @"spec.streams[0].deliveries[0].connect[1]: ipc:///tmp/far is not a file directly in the socket directory /run/lifeboat, which the application sees; write ipc:///run/lifeboat/NAME");
}

#[test]
fn sockets_are_checked_against_their_directory() {
    let queue = accept(&queue(
        "{name: a, socket: PULL},
         {name: b, socket: PULL, bind: 'ipc:///run/lifeboat/work.a'},
         {name: c, socket: PULL, bind: 'ipc:///tmp/c'},
         {name: d, socket: PULL, bind: 'ipc:///run/lifeboat/sub/d'},
         {name: e, socket: PULL, bind: 'tcp://*:5555'}",
        "{name: out, socket: PUSH}",
    ));
    let problems = queue.check_sockets(Path::new("/run/lifeboat")).expect_err("must be refused");
    insta::assert_snapshot!(problems.to_string(), @r"
    spec.streams[0].ingress[1].bind: /run/lifeboat/work.a is also the socket of spec.streams[0].ingress[0]; use another
    spec.streams[0].ingress[2].bind: ipc:///tmp/c is not a file directly in the socket directory /run/lifeboat, which the application sees; leave bind out, or write ipc:///run/lifeboat/NAME
    spec.streams[0].ingress[3].bind: ipc:///run/lifeboat/sub/d is not a file directly in the socket directory /run/lifeboat, which the application sees; leave bind out, or write ipc:///run/lifeboat/NAME
    ");
    let long = format!("/{}", "x".repeat(98));
    let problems = queue.check_sockets(Path::new(&long)).expect_err("must be refused");
    let too_long: Vec<_> = problems.iter().filter(|p| p.message.contains("at most 107")).collect();
    assert_eq!(too_long.len(), 1, "99 + 1 + 8 bytes of work.out: {problems}");
    assert_eq!(too_long[0].path, "spec.streams[0].deliveries[0].name");
}

#[test]
fn a_path_of_107_bytes_is_accepted() {
    let queue = accept(&queue("{name: a, socket: PULL}", "{name: out, socket: PUSH}"));
    let fits = format!("/{}", "x".repeat(97));
    assert_eq!(format!("{fits}/work.out").len(), 107);
    queue.check_sockets(Path::new(&fits)).unwrap();
    queue.check_sockets(Path::new(&format!("{fits}x"))).unwrap_err();
}

#[test]
fn features_are_listed_for_the_operator() {
    let features = supported_features();
    assert!(features.is_sorted());
    assert!(features.contains(&"delivery.protocol.Credit"));
    assert!(!features.contains(&"ingress.curve"));
}
