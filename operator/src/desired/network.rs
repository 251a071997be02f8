//! The NetworkPolicy: who may reach the queue's ports. Every other port of the pod belongs to the
//! application and stays as open as it was.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::config::Config;
use super::object;
use crate::labels;
use crate::names::{self, ADMIN_PORT};
use crate::queue::{Queue, ports};
use crate::release::Release;

const LAST_PORT: u16 = u16::MAX;

/// The policy, unless the user wants none.
pub(super) fn network_policy(queue: &Queue, config: &Config, release: &Release) -> Option<Value> {
    let policy = queue.network_policy.as_ref()?;
    let streams: BTreeSet<u16> = ports(&config.dataplane).iter().map(|port| port.number).collect();
    let own = json!({"podSelector": {}});
    let operator = json!({
        "namespaceSelector": {
            "matchLabels": {"kubernetes.io/metadata.name": release.operator_namespace},
        },
    });
    let mut rules = Vec::new();
    if !streams.is_empty() {
        let from = policy.from.clone().unwrap_or_default();
        let from: Vec<_> = [own.clone()].into_iter().chain(from).collect();
        let ports: Vec<_> = streams.iter().map(|port| range(*port, *port)).collect();
        rules.push(json!({"from": from, "ports": ports}));
    }
    let monitoring = policy.monitoring_from.clone().unwrap_or_default();
    let from: Vec<_> = [own, operator].into_iter().chain(monitoring).collect();
    rules.push(json!({"from": from, "ports": [range(ADMIN_PORT, ADMIN_PORT)]}));
    let restricted = streams.into_iter().chain([ADMIN_PORT]).collect();
    let mut open: Vec<_> = gaps(&restricted).map(|(first, last)| range(first, last)).collect();
    // What is ours is tcp.
    open.extend(["UDP", "SCTP"].map(|protocol| json!({"protocol": protocol})));
    rules.push(json!({"ports": open}));
    let name = names::network_policy(&queue.name);
    let mut object = object(queue, "networking.k8s.io/v1", "NetworkPolicy", &name);
    let spec = json!({
        "podSelector": {"matchLabels": labels::selector(&queue.name)},
        "policyTypes": ["Ingress"],
        "ingress": rules,
    });
    object.insert("spec".to_owned(), spec);
    Some(Value::Object(object))
}

fn range(first: u16, last: u16) -> Value {
    if first == last {
        return json!({"protocol": "TCP", "port": first});
    }
    json!({"protocol": "TCP", "port": first, "endPort": last})
}

/// The ports that are not in `taken`, as ranges of first and last.
fn gaps(taken: &BTreeSet<u16>) -> impl Iterator<Item = (u16, u16)> {
    let starts = [0].into_iter().chain(taken.iter().copied());
    let ends = taken.iter().copied().map(u32::from).chain([u32::from(LAST_PORT) + 1]);
    starts.zip(ends).filter_map(|(before, after)| {
        let first = before.checked_add(1)?;
        let last = u16::try_from(after - 1).ok()?;
        (first <= last).then_some((first, last))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ports_between_are_ranges() {
        let of = |taken: &[u16]| gaps(&taken.iter().copied().collect()).collect::<Vec<_>>();
        assert_eq!(of(&[]), [(1, 65_535)]);
        assert_eq!(of(&[5555, 5556]), [(1, 5554), (5557, 65_535)]);
        assert_eq!(of(&[1, 65_535]), [(2, 65_534)]);
        assert_eq!(of(&[65_535]), [(1, 65_534)]);
    }

    proptest! {
        #[test]
        fn every_port_is_taken_or_in_one_range(taken in proptest::collection::btree_set(1..=u16::MAX, 0..20)) {
            let open: Vec<_> = gaps(&taken).collect();
            let sizes: usize = open.iter().map(|(first, last)| usize::from(last - first) + 1).sum();
            prop_assert_eq!(sizes + taken.len(), usize::from(u16::MAX));
            let inside = |port: &u16| open.iter().any(|(first, last)| (first..=last).contains(&port));
            prop_assert!(!taken.iter().any(inside));
        }
    }
}
