//! What a sidecar says of itself, as far as the operator goes by it: the part of `/v1/status` that
//! it reads. A field that an older sidecar does not send is `None` or empty, never an error.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A sidecar's answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// Its version.
    pub version: String,
    /// The names of what it supports.
    pub features: BTreeSet<String>,
    /// Random, new with each start.
    pub boot_id: String,
    /// The volume's id, 32 hex digits.
    pub log_id: String,
    /// What it does at large.
    pub state: State,
    /// Whether its volume outlives the machine's restart; `None`: it does not say.
    pub durable_volume: Option<bool>,
    /// Nothing is left that somebody waits for: no unsettled record in a delivery that holds data,
    /// no lease, no dead letter, no stored reply. `None`: it does not say, which proves nothing.
    pub drained: Option<bool>,
    /// Whether any stream keeps what every delivery has settled, to be read again. `None`: it does
    /// not say, and may.
    pub retains_history: Option<bool>,
    /// Whether an application is connected to any delivery.
    pub app_connected: Option<bool>,
    /// Its volume.
    pub volume: Option<Volume>,
    /// Sums over all streams.
    pub totals: Totals,
    /// The configuration that it runs by.
    pub config: Config,
    /// Each stream.
    pub streams: Vec<Stream>,
    /// The names of streams that the queue does not name any more, and whose data is there.
    pub removed: Vec<String>,
}

/// What a sidecar does at large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Takes and delivers.
    Open,
    /// Takes nothing from outside the pod, until it ends.
    Quiesced,
    /// Takes nothing from outside the pod, until that is taken back.
    Draining,
    /// Neither takes nor delivers, for it was told so.
    Fenced,
    /// Neither takes nor delivers, for its volume is not the one that was expected.
    Closed,
    /// On its way out.
    Stopping,
    /// The disk failed.
    Failed,
    /// A word of a newer version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A sidecar's volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Volume {
    /// Its size.
    pub total_bytes: u64,
    /// What is used of it, by anybody.
    pub used_bytes: u64,
}

/// Sums over all streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Totals {
    /// Records that a delivery has not settled.
    pub depth: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that applications have and have not settled.
    pub in_flight: u64,
    /// Records parked.
    pub dead_letters: u64,
    /// When the oldest unsettled record was stored; what cannot be read is not known.
    #[serde(deserialize_with = "time")]
    pub oldest_time: Option<Timestamp>,
    /// Messages stored a second.
    pub ingress_per_second: f64,
    /// Records handed out a second.
    pub delivered_per_second: f64,
    /// Hand-outs beyond the first, since the start.
    pub redelivered: u64,
}

/// The configuration that a sidecar runs by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    /// The hash of the file that was applied last, in hex digits.
    pub hash: String,
    /// What is wrong with the file as it is now, each with its field.
    pub problems: Vec<String>,
    /// Fields whose change waits for a restart.
    pub pending_restart: Vec<String>,
}

/// One stream of a sidecar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// Why it is stopped: damage.
    pub reason: Option<String>,
    /// Damage that is known and not mended.
    pub damage: Option<String>,
    /// `open`, `full` or `stopped`.
    pub state: String,
    /// Each of its deliveries.
    pub deliveries: Vec<Delivery>,
}

/// One delivery of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Delivery {
    /// Its name.
    pub delivery: String,
    /// What the sidecar opened; `None`: nothing, for the queue does not name it any more.
    pub socket: Option<String>,
    /// Records that it has not settled.
    pub depth: u64,
}

/// A point in time, in RFC 3339 or in seconds of Unix time.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text.parse().ok(),
        Value::Number(second) => {
            second.as_i64().and_then(|second| Timestamp::from_second(second).ok())
        }
        _ => None,
    })
}
