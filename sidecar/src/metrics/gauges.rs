//! What is not counted but looked at: set from the status at each scrape.

use prometheus::{IntGauge, IntGaugeVec};

use super::{Build, SOCKET};

/// Set from the status at each scrape.
#[derive(Debug, Clone)]
pub struct Gauges {
    /// Records unsettled by at least one delivery.
    pub depth: IntGaugeVec,
    /// Records that an application has and has not settled.
    pub in_flight: IntGaugeVec,
    /// Records parked.
    pub dead_letter_records: IntGaugeVec,
    /// Unix time of the oldest unsettled record.
    pub oldest_seconds: IntGaugeVec,
    /// Bytes of segment files.
    pub disk_bytes: IntGaugeVec,
    /// 1 when the stream is stopped by damage.
    pub stopped: IntGaugeVec,
    /// 1 when damage was found and is not mended.
    pub damaged: IntGaugeVec,
    /// Records lost to damage.
    pub lost: IntGaugeVec,
    /// 1 when records wait for disk space.
    pub full: IntGaugeVec,
    /// Records that count as stored and are not synced.
    pub unsynced: IntGaugeVec,
    /// Ids of messages that are remembered.
    pub remembered_ids: IntGaugeVec,
    /// How often the index of ids was set aside and made anew.
    pub set_aside_indexes: IntGaugeVec,
    /// Bytes read in search of damage.
    pub scrubbed_bytes: IntGauge,
    /// Syncs of the writer thread.
    pub syncs: IntGauge,
    /// Records covered by them.
    pub synced_records: IntGauge,
    /// 1 when the data directory outlives the machine's restart, as far as can be seen.
    pub durable_volume: IntGauge,
    /// For how many seconds the disk has not answered.
    pub disk_hangs: IntGauge,
    /// 1 for the state that holds, 0 for the others.
    pub state: IntGaugeVec,
    /// 1 when nothing is left to be done.
    pub drained: IntGauge,
}

impl Gauges {
    pub(super) fn new(build: &Build) -> prometheus::Result<Self> {
        let of_stream = |name, help| build.gauges(name, help, &["stream"]);
        Ok(Self {
            depth: of_stream(
                "lifeboat_stream_depth_records",
                "Records unsettled by at least one delivery",
            )?,
            in_flight: build.gauges(
                "lifeboat_in_flight_records",
                "Records that an application has and has not settled",
                SOCKET,
            )?,
            dead_letter_records: of_stream("lifeboat_dead_letter_records", "Records parked")?,
            oldest_seconds: of_stream(
                "lifeboat_oldest_record_timestamp_seconds",
                "Unix time of the oldest unsettled record, 0 without one",
            )?,
            disk_bytes: of_stream(
                "lifeboat_disk_bytes",
                "Bytes of the stream's segment files, dead letters included",
            )?,
            stopped: of_stream(
                "lifeboat_stream_stopped",
                "1 when the stream is stopped by damage",
            )?,
            damaged: of_stream(
                "lifeboat_stream_damaged",
                "1 when damage was found and is not mended",
            )?,
            lost: of_stream(
                "lifeboat_stream_lost_records",
                "Records and dead letters that damage took before every delivery had settled them",
            )?,
            full: of_stream("lifeboat_stream_full", "1 when records wait for disk space")?,
            unsynced: of_stream(
                "lifeboat_unsynced_records",
                "Records that were receipted or handed on and not synced yet: 0 with sync Always",
            )?,
            remembered_ids: of_stream(
                "lifeboat_remembered_ids",
                "Ids of messages that would not be stored again",
            )?,
            set_aside_indexes: of_stream(
                "lifeboat_set_aside_indexes_total",
                "Times that the index of ids was set aside and made anew from the log",
            )?,
            scrubbed_bytes: build.gauge(
                "lifeboat_scrubbed_bytes_total",
                "Bytes of sealed segments read in search of damage",
            )?,
            syncs: build.gauge("lifeboat_syncs_total", "Group commits that synced records")?,
            synced_records: build
                .gauge("lifeboat_synced_records_total", "Records that they synced")?,
            durable_volume: build.gauge(
                "lifeboat_durable_volume",
                "0 when the data directory does not outlive the machine's restart",
            )?,
            disk_hangs: build.gauge(
                "lifeboat_disk_hangs_seconds",
                "For how long the disk has not answered a write or a sync, 0 while it does in time",
            )?,
            state: build.gauges(
                "lifeboat_state",
                "1 for the state that holds, 0 for the others",
                &["state"],
            )?,
            drained: build.gauge(
                "lifeboat_drained",
                "1 when no record is unsettled, none is leased, and there is no dead letter",
            )?,
        })
    }
}
