//! From what was written to what holds: defaults and units. It must not judge a tree; the
//! validator has. It refuses what [`Dataplane`] cannot express, so that a value that this version
//! lacks can never become another one.

use std::time::Duration;

use crate::dataplane::{
    Credit, Dataplane, Delivery, DeliveryKind, Ingress, IngressKind, Limits, OnDamage, OnFull,
    Policy, Rep, Replica, Retention, Stream, Sync, Trail,
};
use crate::defaults;
use crate::duration::DurationText;
use crate::problem::Problem;
use crate::quantity::Quantity;
use crate::resource;
use crate::start::{Start, StartText};

/// The data plane of `document`; `ignored` are the fields of it that only the operator heeds.
pub(crate) fn resolve(
    document: resource::Document,
    ignored: Vec<String>,
) -> Result<Dataplane, Problem> {
    let spec = document.spec;
    let memory = spec.sidecar.and_then(|sidecar| sidecar.memory);
    let streams = spec.streams.into_iter().map(stream).collect::<Result<_, _>>()?;
    let replicas = document.replicas.unwrap_or_default();
    Ok(Dataplane {
        name: document.metadata.name,
        storage_size: spec.storage.size.bytes(),
        memory: memory.as_ref().map_or(defaults::MEMORY, Quantity::bytes),
        sync: sync(spec.durability.as_ref())?,
        streams,
        replicas: replicas.into_iter().map(|(ordinal, given)| (ordinal, replica(given))).collect(),
        ignored,
    })
}

fn sync(durability: Option<&resource::Durability>) -> Result<Sync, Problem> {
    let interval = durability.and_then(|durability| durability.interval.as_ref());
    match (durability.and_then(|durability| durability.sync), interval) {
        (None | Some(resource::Sync::Always), None) => Ok(Sync::Always),
        (Some(resource::Sync::Interval), Some(interval)) => Ok(Sync::Interval(interval.value())),
        (Some(resource::Sync::None), None) => Ok(Sync::None),
        other => Err(lacking("spec.durability.sync", other)),
    }
}

fn replica(given: resource::Replica) -> Replica {
    Replica {
        log_id: given.log_id,
        fenced: given.fenced.unwrap_or(false),
        drain: given.drain.unwrap_or(false),
    }
}

fn stream(given: resource::Stream) -> Result<Stream, Problem> {
    let retention = retention(&given.retention.unwrap_or_default())?;
    let delivery = |given| delivery(given, retention.policy);
    Ok(Stream {
        ingress: given.ingress.into_iter().map(ingress).collect::<Result<_, _>>()?,
        deliveries: given.deliveries.into_iter().map(delivery).collect::<Result<_, _>>()?,
        retention,
        name: given.name,
    })
}

fn ingress(given: resource::Ingress) -> Result<Ingress, Problem> {
    use resource::{IngressProtocol, IngressSocket};
    let kind = match (given.socket, given.protocol) {
        (IngressSocket::Pull, None) => IngressKind::Pull,
        (IngressSocket::Router, Some(IngressProtocol::Receipt)) => IngressKind::Receipt,
        other => return Err(lacking("spec.streams[].ingress[].socket", other)),
    };
    let size = given.max_message_size.as_ref();
    Ok(Ingress {
        name: given.name,
        kind,
        endpoint: given.bind,
        connect: given.connect.unwrap_or_default(),
        limits: Limits {
            max_message_size: size.map_or(defaults::MAX_MESSAGE_SIZE, Quantity::bytes),
            max_connections: given.max_connections.unwrap_or(defaults::MAX_CONNECTIONS),
        },
        dedup_window: given.dedup.map(|dedup| dedup.window.value()),
    })
}

fn delivery(given: resource::Delivery, policy: Policy) -> Result<Delivery, Problem> {
    use resource::{DeliveryProtocol, DeliverySocket};
    let kind = match (given.socket, given.protocol) {
        (DeliverySocket::Push, None) => DeliveryKind::Push(trail(given.trail.as_ref())),
        (DeliverySocket::Dealer, None) => DeliveryKind::Rep(rep(&given)),
        (DeliverySocket::Router, Some(DeliveryProtocol::Credit)) => {
            DeliveryKind::Credit(credit(&given))
        }
        other => return Err(lacking("spec.streams[].deliveries[].socket", other)),
    };
    Ok(Delivery {
        from: start(given.from.as_ref(), policy),
        name: given.name,
        kind,
        endpoint: given.bind,
        connect: given.connect.unwrap_or_default(),
        max_connections: given.max_connections.unwrap_or(defaults::MAX_CONNECTIONS),
    })
}

fn trail(given: Option<&resource::Trail>) -> Trail {
    let messages = given.and_then(|trail| trail.messages);
    let time = given.and_then(|trail| trail.time.as_ref());
    Trail {
        messages: messages.unwrap_or(defaults::TRAIL_MESSAGES),
        time: duration_or(time, defaults::TRAIL_TIME),
    }
}

fn credit(given: &resource::Delivery) -> Credit {
    let Rep { ack_timeout, max_attempts, backoff } = rep(given);
    let max_in_flight = given.max_in_flight.unwrap_or(defaults::MAX_IN_FLIGHT);
    Credit { ack_timeout, max_in_flight, max_attempts, backoff }
}

fn rep(given: &resource::Delivery) -> Rep {
    let backoff = given.backoff.as_ref();
    Rep {
        ack_timeout: duration_or(given.ack_timeout.as_ref(), defaults::ACK_TIMEOUT),
        max_attempts: given.max_attempts.unwrap_or(defaults::MAX_ATTEMPTS),
        backoff: backoff.map_or_else(
            || defaults::BACKOFF.to_vec(),
            |waits| waits.iter().map(DurationText::value).collect(),
        ),
    }
}

fn retention(given: &resource::Retention) -> Result<Retention, Problem> {
    let at = |field: &str| format!("spec.streams[].retention.{field}");
    let policy = match given.policy {
        None | Some(resource::Policy::WorkQueue) => Policy::WorkQueue,
        Some(resource::Policy::Limits) => Policy::Limits,
        Some(other) => return Err(lacking(&at("policy"), other)),
    };
    let on_full = match given.on_full {
        None | Some(resource::OnFull::Block) => OnFull::Block,
        Some(resource::OnFull::DropOldest) => OnFull::DropOldest,
        Some(resource::OnFull::Reject) => OnFull::Reject,
    };
    let on_damage = match given.on_damage {
        None | Some(resource::OnDamage::Stop) => OnDamage::Stop,
        Some(resource::OnDamage::SkipWithGap) => OnDamage::SkipWithGap,
    };
    Ok(Retention {
        policy,
        max_age: given.max_age.as_ref().map(DurationText::value),
        max_messages: given.max_messages,
        max_bytes: given.max_bytes.as_ref().map(Quantity::bytes),
        on_full,
        on_damage,
    })
}

/// Where a new delivery starts: nowhere in particular in a WorkQueue.
fn start(given: Option<&StartText>, policy: Policy) -> Option<Start> {
    match policy {
        Policy::WorkQueue => None,
        Policy::Limits => Some(given.map_or(Start::First, StartText::value)),
    }
}

fn duration_or(given: Option<&DurationText>, default: Duration) -> Duration {
    given.map_or(default, DurationText::value)
}

fn lacking(path: &str, value: impl std::fmt::Debug) -> Problem {
    Problem::new(path, format!("{value:?}: not supported by this version"))
}
