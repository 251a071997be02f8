//! What must change for a running queue to be what its file says now. Pure.

use lifeboat_api::{Dataplane, Delivery, DeliveryKind, Ingress, OnFull, Retention, Stream};

/// Which side of a stream a socket is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Towards producers.
    Ingress,
    /// Towards applications.
    Delivery,
}

/// One thing to do, with streams and sockets by name. To be done in the order of [`Delta::changes`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Stop a socket.
    Close(Side, String, String),
    /// Give a delivery other rules: timeouts, limits, its trail.
    Rules(String, String),
    /// Divide the volume anew, and give the streams their limits.
    Space,
    /// Start a socket.
    Open(Side, String, String),
}

/// All that differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// What can be done at once: what closes first, what opens last, since an endpoint may move.
    pub changes: Vec<Change>,
    /// Fields of the file that only a restart applies.
    pub pending: Vec<String>,
}

/// What leads from `old`, which runs, to `new`.
pub fn delta(old: &Dataplane, new: &Dataplane) -> Delta {
    let mut delta = Delta::default();
    let volume = [
        ("metadata.name", old.name == new.name),
        ("spec.storage.size", old.storage_size <= new.storage_size),
        ("spec.sidecar.memory", old.memory == new.memory),
        ("spec.durability", old.sync == new.sync),
    ];
    let differ = volume.iter().filter(|(_, same)| !same);
    delta.pending.extend(differ.map(|(field, _)| (*field).to_owned()));
    if old.storage_size < new.storage_size {
        delta.changes.push(Change::Space);
    }
    for (at, stream) in new.streams.iter().enumerate() {
        let path = format!("spec.streams[{at}]");
        match named(old, &stream.name) {
            Some(was) => delta.stream(&path, was, stream),
            None => delta.pending.push(path),
        }
    }
    for gone in old.streams.iter().filter(|stream| named(new, &stream.name).is_none()) {
        delta.pending.push(format!("spec.streams (without {})", gone.name));
        let nothing = Stream { ingress: Vec::new(), deliveries: Vec::new(), ..gone.clone() };
        delta.stream("", gone, &nothing);
    }
    delta.changes.sort();
    delta.changes.dedup();
    delta
}

impl Delta {
    fn stream(&mut self, path: &str, old: &Stream, new: &Stream) {
        let name = &new.name;
        let key = |socket: &str| (name.clone(), socket.to_owned());
        for was in &old.ingress {
            let waits = new.ingress.iter().any(|is| is.name == was.name && ids_differ(old, is));
            if !new.ingress.contains(was) && !waits {
                let (stream, socket) = key(&was.name);
                self.changes.push(Change::Close(Side::Ingress, stream, socket));
            }
        }
        for (at, is) in new.ingress.iter().enumerate() {
            if ids_differ(old, is) {
                self.pending.push(format!("{path}.ingress[{at}].dedup"));
            } else if !old.ingress.contains(is) {
                let (stream, socket) = key(&is.name);
                self.changes.push(Change::Open(Side::Ingress, stream, socket));
            }
        }
        for was in &old.deliveries {
            if new.deliveries.iter().all(|is| is.name != was.name) {
                let (stream, socket) = key(&was.name);
                self.changes.push(Change::Close(Side::Delivery, stream, socket));
            }
        }
        for (at, is) in new.deliveries.iter().enumerate() {
            let was = old.deliveries.iter().find(|was| was.name == is.name);
            self.delivery(&format!("{path}.deliveries[{at}]"), name, was, is);
        }
        let limited = limited(&old.retention, &new.retention);
        if limited != old.retention {
            self.changes.push(Change::Space);
        }
        if limited != new.retention {
            self.pending.push(format!("{path}.retention"));
        }
    }

    fn delivery(&mut self, path: &str, stream: &str, was: Option<&Delivery>, is: &Delivery) {
        let key = || (stream.to_owned(), is.name.clone());
        let open = || {
            let (stream, name) = key();
            Change::Open(Side::Delivery, stream, name)
        };
        let Some(was) = was else { return self.changes.push(open()) };
        if !same_kind(&was.kind, &is.kind) {
            self.pending.push(format!("{path}.socket"));
            return;
        }
        if was.kind != is.kind {
            let (stream, name) = key();
            self.changes.push(Change::Rules(stream, name));
        }
        // Where it starts is a matter of new ones only.
        if (Delivery { kind: is.kind.clone(), from: is.from, ..was.clone() }) != *is {
            let (stream, name) = key();
            self.changes.push(Change::Close(Side::Delivery, stream, name));
            self.changes.push(open());
        }
    }
}

/// What runs once `delta(old, new)` was applied, but for the sockets in `failed`, which did not
/// open. What is pending stays as it was, so that it is found again.
pub fn after(old: &Dataplane, new: &Dataplane, failed: &[(Side, String, String)]) -> Dataplane {
    let mut streams = Vec::new();
    for was in &old.streams {
        let Some(is) = named(new, &was.name) else {
            streams.push(Stream { ingress: Vec::new(), deliveries: Vec::new(), ..was.clone() });
            continue;
        };
        let opened = |side, name: &String| {
            !failed.iter().any(|it| it.0 == side && it.1 == was.name && it.2 == *name)
        };
        let running = |is: &Ingress| {
            let before = was.ingress.iter().find(|was| was.name == is.name).cloned();
            if ids_differ(was, is) { before } else { Some(is.clone()) }
        };
        let mut ingress: Vec<Ingress> = is.ingress.iter().filter_map(running).collect();
        ingress.retain(|it| opened(Side::Ingress, &it.name));
        let before = |is: &Delivery| {
            let was = was.deliveries.iter().find(|was| was.name == is.name);
            was.filter(|was| !same_kind(&was.kind, &is.kind)).unwrap_or(is).clone()
        };
        let mut deliveries: Vec<Delivery> = is.deliveries.iter().map(before).collect();
        deliveries.retain(|it| opened(Side::Delivery, &it.name));
        let retention = limited(&was.retention, &is.retention);
        streams.push(Stream { name: was.name.clone(), ingress, deliveries, retention });
    }
    Dataplane {
        streams,
        storage_size: old.storage_size.max(new.storage_size),
        replicas: new.replicas.clone(),
        ignored: new.ignored.clone(),
        ..old.clone()
    }
}

/// The retention `old` with what of `new` can be applied at once: its limits, which are the writer's.
/// Whether a full stream rejects is also its sockets' matter; the policy, and what becomes of damage,
/// is decided when the volume opens. The limits of one policy are not for the other.
fn limited(old: &Retention, new: &Retention) -> Retention {
    if old.policy != new.policy {
        return *old;
    }
    let rejects = [old, new].iter().any(|it| it.on_full == OnFull::Reject);
    let on_full = if rejects { old.on_full } else { new.on_full };
    Retention { on_full, on_damage: old.on_damage, ..*new }
}

fn named<'a>(queue: &'a Dataplane, name: &str) -> Option<&'a Stream> {
    queue.streams.iter().find(|stream| stream.name == name)
}

/// Whether `is` would have to know repeats otherwise than the stream `old` does: its ids are gathered
/// when the volume opens, as long back as the longest window wants.
fn ids_differ(old: &Stream, is: &Ingress) -> bool {
    match old.ingress.iter().find(|was| was.name == is.name) {
        Some(was) => was.dedup_window != is.dedup_window,
        None => is.dedup_window > old.dedup_window(),
    }
}

fn same_kind(a: &DeliveryKind, b: &DeliveryKind) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN: &str = "{name: in, socket: PULL}";
    const OUT: &str = "{name: out, socket: ROUTER, protocol: Credit}";

    fn queue(size: &str, streams: &[(&str, &str, &str)]) -> Dataplane {
        let streams: Vec<String> = streams
            .iter()
            .map(|(name, ingress, more)| {
                format!("    - {{name: {name}, ingress: [{ingress}], {more}}}\n")
            })
            .collect();
        let yaml = format!(
            "apiVersion: lifeboat.dev/v1alpha1\nkind: PersistentQueue\nmetadata: {{name: q}}\n\
             spec:\n  storage: {{size: {size}}}\n  streams:\n{}",
            streams.concat()
        );
        lifeboat_api::validate_dataplane(&lifeboat_api::parse(&yaml).unwrap()).unwrap()
    }

    fn work(ingress: &str, more: &str) -> Dataplane {
        queue("1Gi", &[("work", ingress, more)])
    }

    fn key(name: &str) -> (String, String) {
        ("work".to_owned(), name.to_owned())
    }

    #[test]
    fn what_an_ingress_knows_of_repeats_waits_for_a_restart() {
        const OUT_ONLY: &str = "deliveries: [{name: out, socket: PUSH}]";
        let ids = |name: &str, window: &str| {
            format!("{{name: {name}, socket: ROUTER, protocol: Receipt{window}}}")
        };
        let plain = work(&ids("in", ""), OUT_ONLY);
        let knowing = work(&ids("in", ", dedup: {window: 10m}"), OUT_ONLY);
        let expected = Delta {
            changes: Vec::new(),
            pending: vec!["spec.streams[0].ingress[0].dedup".to_owned()],
        };
        assert_eq!(delta(&plain, &knowing), expected);
        assert_eq!(delta(&knowing, &plain), expected);
        // It is found again for as long as nothing was restarted.
        assert_eq!(delta(&after(&plain, &knowing, &[]), &knowing), expected);
        // Another socket may come with a window that the stream has, and no longer one.
        let two = |window: &str| {
            let first = ids("in", ", dedup: {window: 10m}");
            work(&format!("{first}, {}", ids("more", window)), OUT_ONLY)
        };
        let opened = delta(&knowing, &two(", dedup: {window: 5m}"));
        assert_eq!((opened.changes, opened.pending), (vec![open(Side::Ingress, "more")], vec![]));
        let waits = delta(&knowing, &two(", dedup: {window: 20m}"));
        assert_eq!(waits.pending, ["spec.streams[0].ingress[1].dedup"]);
        assert_eq!(waits.changes, []);
    }

    fn close(side: Side, name: &str) -> Change {
        let (stream, name) = key(name);
        Change::Close(side, stream, name)
    }

    fn open(side: Side, name: &str) -> Change {
        let (stream, name) = key(name);
        Change::Open(side, stream, name)
    }

    /// The delta, after which nothing is left to do but what is pending.
    fn checked(old: &Dataplane, new: &Dataplane) -> Delta {
        let found = delta(old, new);
        let rest = delta(&after(old, new, &[]), new);
        assert_eq!((rest.changes, &rest.pending), (Vec::new(), &found.pending));
        found
    }

    #[test]
    fn the_same_file_changes_nothing() {
        let queue = work(IN, &format!("deliveries: [{OUT}]"));
        assert_eq!(checked(&queue, &queue), Delta::default());
    }

    #[test]
    fn sockets_come_and_go_and_what_closes_is_first() {
        let old = work(IN, &format!("deliveries: [{OUT}]"));
        let new = work(
            "{name: new, socket: PULL}, {name: in, socket: PULL, maxConnections: 7}",
            "deliveries: [{name: other, socket: PUSH}]",
        );
        let expected = [
            close(Side::Ingress, "in"),
            close(Side::Delivery, "out"),
            open(Side::Ingress, "in"),
            open(Side::Ingress, "new"),
            open(Side::Delivery, "other"),
        ];
        assert_eq!(checked(&old, &new), Delta { changes: expected.to_vec(), pending: Vec::new() });
    }

    #[test]
    fn rules_change_in_place_and_an_endpoint_does_not() {
        let with = |more: &str| {
            work(
                IN,
                &format!("deliveries: [{{name: out, socket: ROUTER, protocol: Credit{more}}}]"),
            )
        };
        let (old, new) = (with(""), with(", ackTimeout: 5s, maxInFlight: 3"));
        let (stream, name) = key("out");
        assert_eq!(checked(&old, &new).changes, [Change::Rules(stream, name)]);
        let moved = with(", bind: 'tcp://*:5555'");
        let expected = [close(Side::Delivery, "out"), open(Side::Delivery, "out")];
        assert_eq!(checked(&old, &moved).changes, expected);
    }

    #[test]
    fn what_only_a_restart_applies_is_named() {
        let outs = format!("deliveries: [{OUT}]");
        let old = queue("2Gi", &[("work", IN, &outs), ("old", IN, &outs)]);
        let new = queue(
            "1Gi",
            &[("new", IN, &outs), ("work", IN, "deliveries: [{name: out, socket: PUSH}]")],
        );
        let found = checked(&old, &new);
        let expected = [
            "spec.storage.size",
            "spec.streams[0]",
            "spec.streams[1].deliveries[0].socket",
            "spec.streams (without old)",
        ];
        assert_eq!(found.pending, expected);
        let of_old = |side, name: &str| Change::Close(side, "old".to_owned(), name.to_owned());
        assert_eq!(found.changes, [of_old(Side::Ingress, "in"), of_old(Side::Delivery, "out")]);
    }

    #[test]
    fn a_larger_volume_is_divided_anew_and_a_smaller_one_waits_for_a_restart() {
        let outs = format!("deliveries: [{OUT}]");
        let [small, large] = ["1Gi", "2Gi"].map(|size| queue(size, &[("work", IN, &outs)]));
        let found = checked(&small, &large);
        assert_eq!((found.changes, found.pending), (vec![Change::Space], vec![]));
        let found = checked(&large, &small);
        assert_eq!((found.changes, found.pending), (vec![], vec!["spec.storage.size".to_owned()]));
    }

    #[test]
    fn what_a_full_stream_does_waits_for_a_restart() {
        let with = |more: &str| {
            let ingress = "{name: in, socket: ROUTER, protocol: Receipt}";
            work(ingress, &format!("deliveries: [{OUT}]{more}"))
        };
        let found = checked(&with(""), &with(", retention: {onFull: Reject}"));
        assert_eq!(found.pending, ["spec.streams[0].retention"]);
        assert_eq!(found.changes, []);
    }

    #[test]
    fn limits_change_in_place_and_the_policy_does_not() {
        let with =
            |retention: &str| work(IN, &format!("deliveries: [{OUT}], retention: {{{retention}}}"));
        let old = with("policy: Limits, maxAge: 1h");
        for limits in [
            "maxAge: 2h",
            "maxAge: 1h, maxMessages: 5000",
            "maxBytes: 128Mi",
            "maxAge: 1h, onFull: DropOldest",
        ] {
            let found = checked(&old, &with(&format!("policy: Limits, {limits}")));
            assert_eq!((found.changes, found.pending), (vec![Change::Space], vec![]), "{limits}");
        }
        let work_queue = checked(&old, &with("policy: WorkQueue, maxAge: 2h"));
        assert_eq!(work_queue.pending, ["spec.streams[0].retention"]);
        assert_eq!(work_queue.changes, []);
    }

    #[test]
    fn space_is_divided_anew_and_a_socket_that_failed_is_tried_again() {
        let old = work(IN, &format!("deliveries: [{OUT}]"));
        let new = work(
            "{name: in, socket: PULL}, {name: more, socket: PULL}",
            &format!("deliveries: [{OUT}], retention: {{maxBytes: 512Mi}}"),
        );
        assert_eq!(checked(&old, &new).changes, [Change::Space, open(Side::Ingress, "more")]);
        let (stream, name) = key("more");
        let runs = after(&old, &new, &[(Side::Ingress, stream, name)]);
        assert_eq!(delta(&runs, &new).changes, [open(Side::Ingress, "more")]);
    }
}
