//! What a running sidecar says of itself: one model for `/v1/status`, `lifeboat status` and the
//! metrics' gauges. Field names are those of the queue's file where they mean the same.

use serde::{Deserialize, Serialize};

/// Everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The queue's name.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// The features that this version validates and runs.
    pub features: Vec<String>,
    /// Random, new with each start.
    pub boot_id: String,
    /// The volume's id: one data directory, for ever.
    pub volume_id: String,
    /// The same, by the name that it has in the file's `replicas`.
    pub log_id: String,
    /// Raised by each start on this volume.
    pub epoch: u64,
    /// Open, or why not.
    pub state: State,
    /// Which replica of the queue this is, where that was said (`--ordinal`).
    pub ordinal: Option<u32>,
    /// Unix time of the start, in seconds.
    pub started: u64,
    /// `false` when the data directory does not outlive the machine's restart.
    pub durable_volume: bool,
    /// For how many seconds the disk has not answered a write or a sync; `None` while it answers in
    /// time.
    pub disk_hangs: Option<u64>,
    /// The file system that holds the data directory; `None` when it does not say.
    pub volume: Option<VolumeStatus>,
    /// Whether nothing is left to be done: no unsettled record on any delivery that holds data, no
    /// lease, no dead letter; of streams and deliveries that the file does not name any more neither.
    /// What a producer still has in its sockets does not show, so it is final only where nothing
    /// more can come in.
    pub drained: bool,
    /// Whether a stream keeps records although every delivery has settled them, to be read again
    /// (Limits). Of a stream that the file does not name any more, whatever is left counts.
    pub retains_history: bool,
    /// Whether an application is connected to any delivery.
    pub app_connected: bool,
    /// Sums over all streams.
    pub totals: Totals,
    /// Group commits so far, and the records that they synced.
    pub syncs: u64,
    /// See `syncs`.
    pub synced_records: u64,
    /// `Always`, `Interval` with its time, or `None`: when records count as safe.
    pub sync: String,
    /// The streams, in the file's order.
    pub streams: Vec<StreamStatus>,
    /// Streams whose data is here but that the file does not name any more.
    pub removed: Vec<String>,
    /// The file that it runs by.
    pub config: ConfigStatus,
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeStatus {
    /// Its size.
    pub total_bytes: u64,
    /// What of it is free to the sidecar.
    pub free_bytes: u64,
    /// The rest, whoever uses it.
    pub used_bytes: u64,
}

/// Sums over all streams.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Records unsettled by at least one delivery.
    pub depth: u64,
    /// About how many bytes these and the dead letters have on the disk: 0 only when there are none.
    pub bytes: u64,
    /// Records that applications have and have not settled.
    pub in_flight: u64,
    /// Records parked.
    pub dead_letters: u64,
    /// When the oldest unsettled record was stored: RFC 3339, in UTC.
    pub oldest_time: Option<String>,
    /// Messages read per second.
    pub ingress_per_second: f64,
    /// Records handed out per second.
    pub delivered_per_second: f64,
    /// Records handed out again, since the start.
    pub redelivered: u64,
}

/// The queue's file, and how far the sidecar runs by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigStatus {
    /// The file.
    pub file: String,
    /// The SHA-256 of the content that was applied last, 64 hex digits.
    pub hash: String,
    /// Unix time of that, in seconds.
    pub applied: u64,
    /// What is wrong with the file as it is now, each with its field, or which order it waits for: then
    /// nothing of it was applied; or what of it could not be opened. The latter two are tried again.
    pub problems: Vec<String>,
    /// Fields whose change waits for a restart.
    pub pending_restart: Vec<String>,
}

/// What the sidecar does at large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Takes and delivers.
    Open,
    /// Takes nothing from outside until the process ends: `lifeboat quiesce`. What is on this machine
    /// (ipc) goes on, and so do deliveries.
    Quiesced,
    /// The same by the file's `replicas.<n>.drain`, for as long as it says so.
    Draining,
    /// Neither takes nor delivers, by the file's `replicas.<n>.fenced`.
    Fenced,
    /// The same, for this is another volume than the file's `replicas.<n>.logId`.
    Closed,
    /// On its way out: takes nothing more.
    Stopping,
    /// The disk failed: takes nothing more, and is about to end.
    Failed,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Quiesced,
        Self::Draining,
        Self::Fenced,
        Self::Closed,
        Self::Stopping,
        Self::Failed,
    ];

    /// As JSON and the metrics' label have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Quiesced => "quiesced",
            Self::Draining => "draining",
            Self::Fenced => "fenced",
            Self::Closed => "closed",
            Self::Stopping => "stopping",
            Self::Failed => "failed",
        }
    }
}

/// One stream. Seqs are of its records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamStatus {
    /// Its name.
    pub name: String,
    /// Its id: 32 hex digits, new when a stream is deleted and made anew.
    pub stream_id: String,
    /// Open, full or stopped.
    pub state: StreamState,
    /// Whether nothing of it is left to be done.
    pub drained: bool,
    /// Why it is stopped.
    pub reason: Option<String>,
    /// Damage that was found in it or its dead letters and is not mended. It stops the stream once
    /// a delivery meets it; `lifeboat accept-gap` mends it.
    pub damage: Option<String>,
    /// Records and dead letters that damage took before every delivery had settled them, ever.
    pub lost: u64,
    /// First record kept.
    pub log_start: u64,
    /// First record that no delivery sees yet.
    pub published_end: u64,
    /// First record not yet synced: below `published_end` only in a weak sync mode, where a power
    /// cut loses what lies between.
    pub durable_end: u64,
    /// Records unsettled by at least one delivery.
    pub depth: u64,
    /// Records that applications have and have not settled.
    pub in_flight: u64,
    /// Unix time of the oldest unsettled record, in seconds.
    pub oldest_time: Option<u64>,
    /// Records parked.
    pub dead_letters: u64,
    /// Bytes of segment files, dead letters included.
    pub disk_bytes: u64,
    /// Bytes that it may take.
    pub max_bytes: u64,
    /// Messages read per second.
    pub ingress_per_second: f64,
    /// Records handed out per second.
    pub delivered_per_second: f64,
    /// What is remembered of messages that may come again; `None` where that means nothing.
    pub dedup: Option<DedupStatus>,
    /// The sockets towards producers.
    pub ingress: Vec<IngressStatus>,
    /// The sockets towards applications.
    pub deliveries: Vec<DeliveryStatus>,
}

/// What a stream does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StreamState {
    /// Takes and delivers.
    Open,
    /// Delivers; producers wait for space.
    Full,
    /// Damaged: takes and delivers nothing.
    Stopped,
}

/// A socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SocketStatus {
    /// Its name in the stream.
    pub name: String,
    /// What the sidecar opened: PULL, ROUTER, PUSH.
    pub socket: String,
    /// What is spoken on a ROUTER.
    pub protocol: Option<String>,
    /// Where it is bound, with the real port; or what it connects to, separated by commas.
    pub endpoint: String,
    /// Whether it connects, rather than being connected to.
    pub connects: bool,
    /// Whether it is served; not where the state forbids it.
    pub open: bool,
    /// Open connections.
    pub connections: u64,
}

/// An ingress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressStatus {
    /// Its socket.
    #[serde(flatten)]
    pub socket: SocketStatus,
    /// Messages read since the start, refused ones included.
    pub messages: u64,
    /// Of those, the ones that were not stored again, for they had been before.
    pub duplicates: u64,
}

/// What is remembered of messages that may come again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DedupStatus {
    /// Ids that are remembered.
    pub ids: u64,
    /// Whether messages with ids are taken: not while ids are gathered from the log.
    pub ready: bool,
    /// How often the index on disk was set aside and made anew, since the start.
    pub set_aside: u64,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryStatus {
    /// Its socket; `None` when the file does not name the delivery any more.
    #[serde(flatten)]
    pub socket: Option<SocketStatus>,
    /// Its name, also when it was removed.
    pub delivery: String,
    /// Everything below is settled.
    pub cursor: u64,
    /// Everything from here on was never handed out.
    pub delivered_end: u64,
    /// Records not settled.
    pub depth: u64,
    /// Records that the application has and has not settled.
    pub in_flight: u64,
    /// Records handed out again, since the start.
    pub redelivered: u64,
    /// Records that became too old before they were settled, since the start.
    pub expired: u64,
    /// Records that a limit of number or space took before they were settled, since the start.
    pub dropped: u64,
    /// Records that damage took before this delivery had settled them, ever.
    pub lost: u64,
    /// What "settled" rests on, where the application cannot acknowledge.
    pub promise: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_one_name() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
    }
}
