//! What a sidecar answers to `lifeboat status --json`, as far as it is shown here. A field that an
//! older or newer sidecar does not send is zero or empty.

use serde::Deserialize;

/// A sidecar's status.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Report {
    pub(super) version: String,
    pub(super) state: String,
    pub(super) config: Config,
    pub(super) streams: Vec<Stream>,
}

/// The file that it runs by.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Config {
    pub(super) problems: Vec<String>,
    pub(super) pending_restart: Vec<String>,
}

/// One stream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Stream {
    pub(super) name: String,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    pub(super) damage: Option<String>,
    pub(super) depth: i64,
    pub(super) in_flight: i64,
    pub(super) oldest_time: Option<i64>,
    pub(super) dead_letters: i64,
    pub(super) disk_bytes: i64,
    pub(super) max_bytes: i64,
    pub(super) ingress_per_second: f64,
    pub(super) delivered_per_second: f64,
}
