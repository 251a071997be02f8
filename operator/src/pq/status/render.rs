//! Queues as a tired person reads them. Pure.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use lifeboat_api::queue::{InstanceStatus, PersistentQueue, QueueStatus};

use super::super::human::{age, bytes, count};
use super::super::report::Report;
use super::super::table::table;

/// Each replica's answer, or why there is none.
pub(super) type Reports = BTreeMap<u32, Result<Report, String>>;

/// One line for each queue.
pub(super) fn queues(queues: &[PersistentQueue], namespaces: bool, now: Timestamp) -> String {
    let mut columns = vec![
        "name",
        "ready",
        "replicas",
        "depth",
        "in flight",
        "oldest",
        "dead",
        "in/s",
        "out/s",
        "age",
        "state",
    ];
    let first = usize::from(namespaces);
    if namespaces {
        columns.insert(0, "namespace");
    }
    let rows = queues.iter().map(|queue| {
        let namespace = queue.metadata.namespace.clone().unwrap_or_default();
        let mut row = if namespaces { vec![namespace] } else { Vec::new() };
        row.extend(line(queue, now));
        row
    });
    table(&columns, first + 2..first + 10, rows)
}

fn line(queue: &PersistentQueue, now: Timestamp) -> Vec<String> {
    let status = queue.status.clone().unwrap_or_default();
    let backlog = status.backlog.clone();
    let rates = status.rates.clone();
    let figure = |figure: Option<i64>| figure.map_or_else(|| "-".to_owned(), count);
    let since = |time: Option<&Time>| time.map_or_else(|| "-".to_owned(), |time| age(time.0, now));
    let wanted = queue.spec.replicas.unwrap_or(1);
    vec![
        queue.metadata.name.clone().unwrap_or_default(),
        condition(&status, "Ready").map_or_else(|| "Unknown".to_owned(), |it| it.status.clone()),
        format!("{}/{wanted}", status.accepting_replicas),
        figure(backlog.as_ref().map(|it| it.messages)),
        figure(backlog.as_ref().map(|it| it.in_flight)),
        since(backlog.as_ref().and_then(|it| it.oldest_message_time.as_ref())),
        figure(backlog.as_ref().map(|it| it.dead_lettered)),
        figure(rates.as_ref().map(|it| it.ingress_per_second)),
        figure(rates.as_ref().map(|it| it.delivered_per_second)),
        since(queue.metadata.creation_timestamp.as_ref()),
        state(&status),
    ]
}

/// The reasons of whatever is not as it should be, the worst first.
fn state(status: &QueueStatus) -> String {
    let bad = [
        ("DataIntact", "False"),
        ("Stalled", "True"),
        ("StoragePressure", "True"),
        ("DeliveryStuck", "True"),
        ("ScalingDown", "True"),
        ("Reconciling", "True"),
        ("Ready", "False"),
    ];
    let holds = |(type_, value): &(&str, &str)| {
        condition(status, type_).filter(|found| found.status == *value)
    };
    let mut reasons: Vec<&str> =
        bad.iter().filter_map(holds).map(|found| found.reason.as_str()).collect();
    reasons.dedup();
    if reasons.is_empty() { "-".to_owned() } else { reasons.join(",") }
}

fn condition<'a>(status: &'a QueueStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

/// Everything about one queue.
pub(super) fn queue(queue: &PersistentQueue, reports: &Reports, now: Timestamp) -> String {
    let status = queue.status.clone().unwrap_or_default();
    let mut parts = vec![queues(std::slice::from_ref(queue), false, now)];
    if !status.conditions.is_empty() {
        parts.push(conditions(&status.conditions, now));
    }
    if !status.instances.is_empty() {
        parts.push(instances(&status.instances, reports, now));
    }
    if reports.values().any(|report| report.as_ref().is_ok_and(|it| !it.streams.is_empty())) {
        parts.push(streams(reports, now));
    }
    let remarks = remarks(&status, reports, now);
    if !remarks.is_empty() {
        parts.push(remarks);
    }
    parts.join("\n")
}

fn conditions(conditions: &[Condition], now: Timestamp) -> String {
    let rows = conditions.iter().map(|it| {
        let since = age(it.last_transition_time.0, now);
        vec![it.type_.clone(), it.status.clone(), since, it.reason.clone(), it.message.clone()]
    });
    table(&["condition", "status", "since", "reason", "message"], 2..3, rows)
}

fn instances(instances: &[InstanceStatus], reports: &Reports, now: Timestamp) -> String {
    let rows = instances.iter().map(|it| {
        let report = u32::try_from(it.ordinal).ok().and_then(|ordinal| reports.get(&ordinal));
        let report = report.and_then(|report| report.as_ref().ok());
        let yes = |yes| if yes { "yes" } else { "no" }.to_owned();
        vec![
            it.ordinal.to_string(),
            it.pod.clone(),
            it.node.clone().unwrap_or_else(|| "-".to_owned()),
            report.map_or_else(|| "-".to_owned(), |it| it.state.clone()),
            yes(it.accepting),
            yes(it.app_connected),
            count(it.backlog.messages),
            count(it.backlog.dead_lettered),
            it.volume.as_ref().map_or_else(|| "-".to_owned(), |it| format!("{}%", it.used_percent)),
            it.last_seen.as_ref().map_or_else(|| "never".to_owned(), |time| age(time.0, now)),
            report.map_or_else(|| "-".to_owned(), |it| it.version.clone()),
        ]
    });
    let columns = [
        "replica",
        "pod",
        "node",
        "state",
        "accepting",
        "app",
        "depth",
        "dead",
        "used",
        "seen",
        "version",
    ];
    table(&columns, 6..10, rows)
}

fn streams(reports: &Reports, now: Timestamp) -> String {
    let known =
        reports.iter().filter_map(|(ordinal, report)| Some((ordinal, report.as_ref().ok()?)));
    let rows = known.flat_map(|(ordinal, report)| {
        report.streams.iter().map(move |stream| {
            let oldest = stream.oldest_time.and_then(|it| Timestamp::from_second(it).ok());
            vec![
                ordinal.to_string(),
                stream.name.clone(),
                count(stream.depth),
                count(stream.in_flight),
                oldest.map_or_else(|| "-".to_owned(), |time| age(time, now)),
                count(stream.dead_letters),
                format!("{:.1}", stream.ingress_per_second),
                format!("{:.1}", stream.delivered_per_second),
                bytes(stream.disk_bytes),
                bytes(stream.max_bytes),
                stream.state.clone(),
            ]
        })
    });
    let columns = [
        "replica",
        "stream",
        "depth",
        "in flight",
        "oldest",
        "dead",
        "in/s",
        "out/s",
        "disk",
        "of",
        "state",
    ];
    table(&columns, 2..10, rows)
}

/// What tables have no place for, a line each.
fn remarks(status: &QueueStatus, reports: &Reports, now: Timestamp) -> String {
    let mut lines = Vec::new();
    if let Some(down) = &status.scale_down {
        let left = down.remaining_messages.map_or_else(|| "?".to_owned(), count);
        lines.push(format!(
            "scaling down to {}: replica {} goes, {left} messages left, since {}",
            down.target,
            down.ordinal,
            age(down.started_at.0, now)
        ));
    }
    for claim in &status.stranded_claims {
        let held = claim.messages.map_or_else(|| "?".to_owned(), count);
        lines.push(format!(
            "{} is stranded with {held} messages, since {}: scale up to {} to have them delivered",
            claim.claim,
            age(claim.since.0, now),
            claim.ordinal + 1
        ));
    }
    for (ordinal, report) in reports {
        match report {
            Err(reason) => lines.push(format!("replica {ordinal} did not answer: {reason}")),
            Ok(report) => {
                lines.extend(of_report(report).map(|it| format!("replica {ordinal}: {it}")));
            }
        }
    }
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

fn of_report(report: &Report) -> impl Iterator<Item = String> + '_ {
    let streams = report.streams.iter().filter_map(|stream| {
        let name = &stream.name;
        let stopped = stream.reason.as_ref().map(|reason| format!("{name} is stopped: {reason}"));
        stopped
            .or_else(|| stream.damage.as_ref().map(|damage| format!("{name} is damaged: {damage}")))
    });
    let config = &report.config;
    let problems =
        config.problems.iter().map(|problem| format!("not applied, tried again: {problem}"));
    let pending = (!config.pending_restart.is_empty())
        .then(|| format!("changed, applied by a restart: {}", config.pending_restart.join(", ")));
    streams.chain(problems).chain(pending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn queue_of(status: &Value) -> PersistentQueue {
        serde_json::from_value(json!({
            "apiVersion": "lifeboat.dev/v1alpha1",
            "kind": "PersistentQueue",
            "metadata": {"name": "orders", "namespace": "shop", "creationTimestamp": "2026-05-01T00:00:00Z"},
            "spec": {"replicas": 3, "streams": [], "storage": {}, "template": {}},
            "status": status,
        }))
        .unwrap()
    }

    fn busy() -> PersistentQueue {
        let condition = |type_: &str, status: &str, reason: &str, message: &str| {
            json!({
                "type": type_, "status": status, "reason": reason, "message": message,
                "lastTransitionTime": "2026-05-02T00:00:00Z", "observedGeneration": 3,
            })
        };
        let instance = |ordinal: i32, messages: i64| {
            json!({
                "ordinal": ordinal, "pod": format!("orders-{ordinal}"), "node": "node-a",
                "logId": "00", "accepting": ordinal == 0, "appConnected": true,
                "draining": ordinal == 2, "messages": messages, "deadLettered": 2,
                "volume": {"capacityBytes": 10_737_418_240_i64, "usedPercent": 7},
                "lastSeen": "2026-05-03T00:00:00Z",
            })
        };
        queue_of(&json!({
            "replicas": 3, "readyReplicas": 2, "acceptingReplicas": 2,
            "backlog": {
                "messages": 1_234_567, "bytes": 5_000_000, "inFlight": 64, "deadLettered": 4,
                "oldestMessageTime": "2026-05-02T23:00:00Z",
            },
            "rates": {"ingressPerSecond": 1200, "deliveredPerSecond": 1150},
            "scaleDown": {"target": 2, "ordinal": 2, "startedAt": "2026-05-02T23:59:00Z", "remainingMessages": 17},
            "strandedClaims": [{"claim": "lifeboat-data-orders-3", "ordinal": 3, "messages": 5, "since": "2026-05-01T12:00:00Z"}],
            "instances": [instance(0, 1_234_550), instance(2, 17)],
            "conditions": [
                condition("Ready", "False", "ReplicasNotReady", "2 of 3 replicas"),
                condition("ScalingDown", "True", "DrainRequested", "replica 2"),
                condition("Reconciling", "True", "Draining", ""),
                condition("DataIntact", "True", "Verified", ""),
            ],
        }))
    }

    fn now() -> Timestamp {
        "2026-05-03T00:00:05Z".parse().unwrap()
    }

    fn reports() -> Reports {
        let report: Report = serde_json::from_value(json!({
            "version": "0.1.0", "state": "open", "fieldOfTheFuture": 1,
            "config": {"problems": ["spec.streams: bad"], "pendingRestart": ["spec.durability"]},
            "streams": [
                {
                    "name": "work", "state": "open", "depth": 1_234_550, "inFlight": 64,
                    "oldestTime": 1_777_762_800, "deadLetters": 2, "diskBytes": 3_221_225_472_i64,
                    "maxBytes": 10_737_418_240_i64, "ingressPerSecond": 1200.04,
                    "deliveredPerSecond": 0.5,
                },
                {"name": "audit", "state": "stopped", "reason": "segment 7: checksum"},
            ],
        }))
        .unwrap();
        [(0, Ok(report)), (2, Err("orders-2: no route".to_owned()))].into()
    }

    fn check(name: &str, text: &str) {
        insta::with_settings!({
            snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/golden"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(name, text);
        });
        assert!(!text.contains('\x1b'), "no colours");
    }

    #[test]
    fn a_table_of_queues() {
        let new = queue_of(&Value::Null);
        check("status-queues", &queues(&[busy(), new], true, now()));
    }

    #[test]
    fn one_queue_in_detail() {
        check("status-queue", &queue(&busy(), &reports(), now()));
        let new = queue(&queue_of(&Value::Null), &Reports::new(), now());
        assert_eq!(new.lines().count(), 2, "{new}");
    }
}
