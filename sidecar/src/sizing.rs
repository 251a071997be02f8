//! How much memory and disk each part may take, from what the queue's file says. Pure.

use lifeboat_api::{Dataplane, Delivery, OnFull, Policy, Retention, Start, Stream, Sync};
use lifeboat_log::{DeliveryOptions, OnDamage, Place, StreamOptions, SyncMode, VolumeOptions};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Sizes of everything that is bounded in bytes.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// For the volume.
    pub volume: VolumeOptions,
    /// For each stream, in the file's order.
    pub streams: Vec<StreamOptions>,
    /// What all connections together may hold of messages that are still coming in.
    pub connection_bytes: usize,
    /// What all connections together may have on their way to their peers.
    pub output_bytes: usize,
    /// The ids of messages that a stream holds in memory before they go to its index on disk.
    pub ids_in_memory: usize,
}

/// Memory that an id takes, on its way to the index too.
const ID_BYTES: u64 = 128;
/// A stream that knows repeats leaves this part of its share to the index of ids.
const INDEX_PART: u64 = 8;

/// Divides `dataplane.memory` and the quota. `file_system` is the size of the volume's file
/// system in bytes; `seed` is random.
///
/// Of the memory a quarter goes to connections, a sixth to the newest records (which live
/// deliveries read), a twelfth to records that wait for their commit, in two halves, an eighth to
/// what is on its way to peers, a 24th to ids of messages; the rest is for readers of the backlog,
/// for what is in flight, and for the program itself.
pub fn sizes(dataplane: &Dataplane, file_system: u64, seed: u64) -> Sizes {
    let quota = dataplane.storage_size.min(file_system);
    let count = dataplane.streams.len().max(1) as u64;
    let memory = dataplane.memory;
    let volume = VolumeOptions {
        queue_bytes: (memory / 24 / count).clamp(256 * KIB, 4 * MIB) as usize,
        tail_bytes: (memory / 6 / count).clamp(256 * KIB, 16 * MIB) as usize,
        snapshot_bytes: 4 * MIB,
        sync: sync_mode(dataplane.sync),
        reserve_bytes: (quota / 32).clamp(MIB, 16 * MIB),
        seed,
    };
    let shares = dataplane.shares(quota.saturating_sub(overhead(&volume)));
    let streams = dataplane
        .streams
        .iter()
        .zip(shares)
        .map(|(stream, share)| StreamOptions {
            name: stream.name.clone(),
            max_bytes: share - index_bytes(stream, share),
            segment_bytes: segment_bytes(quota, share),
            on_damage: match stream.retention.on_damage {
                lifeboat_api::OnDamage::Stop => OnDamage::Stop,
                lifeboat_api::OnDamage::SkipWithGap => OnDamage::SkipWithGap,
            },
            retention: retention(&stream.retention),
            deliveries: stream.deliveries.iter().map(delivery).collect(),
            keeps_ids: stream.dedup_window().is_some(),
        })
        .collect();
    let (connection_bytes, output_bytes) = ((memory / 4) as usize, (memory / 8) as usize);
    let ids_in_memory = (memory / 24 / count / ID_BYTES).clamp(4 * KIB, 32 * KIB) as usize;
    Sizes { volume, streams, connection_bytes, output_bytes, ids_in_memory }
}

fn sync_mode(given: Sync) -> SyncMode {
    match given {
        Sync::Always => SyncMode::Always,
        Sync::Interval(interval) => SyncMode::Interval(interval),
        Sync::None => SyncMode::Never,
    }
}

/// Under Limits a share that the file names is a limit like the others.
fn retention(given: &Retention) -> lifeboat_log::Retention {
    let replay = given.policy == Policy::Limits;
    lifeboat_log::Retention {
        replay,
        max_age: given.max_age,
        max_messages: given.max_messages,
        drop_when_full: given.on_full == OnFull::DropOldest
            || (replay && given.max_bytes.is_some()),
    }
}

fn delivery(given: &Delivery) -> DeliveryOptions {
    DeliveryOptions { name: given.name.clone(), from: given.from.map(place) }
}

/// The place in a log that a file or a command names.
pub(crate) fn place(start: Start) -> Place {
    match start {
        Start::First => Place::First,
        Start::Last => Place::Last,
        Start::New => Place::New,
        Start::Seq(seq) => Place::Seq(seq),
        Start::Time(time) => Place::Time(time),
    }
}

/// Bytes of the volume that no stream may take: the reserve, and the journal with its snapshots.
fn overhead(volume: &VolumeOptions) -> u64 {
    volume.reserve_bytes + 3 * volume.snapshot_bytes
}

/// Bytes of a stream's share that its index of ids may take.
fn index_bytes(stream: &Stream, share: u64) -> u64 {
    stream.dedup_window().map_or(0, |_| share / INDEX_PART)
}

/// A 64th of the quota, from 1 to 64 MiB; less where a stream's share would hold too few of them
/// to free space bit by bit.
fn segment_bytes(quota: u64, share: u64) -> u64 {
    let bytes = (quota / 64).clamp(MIB, 64 * MIB).min(share / 8).max(64 * KIB);
    bytes - bytes % (4 * KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataplane(size: &str, streams: usize) -> Dataplane {
        let stream = |at| {
            format!(
                "    - name: s{at}\n      ingress: [{{name: in, socket: PULL, maxMessageSize: 256Ki}}]\n      \
                 deliveries: [{{name: out, socket: PUSH}}]\n"
            )
        };
        let streams: String = (0..streams).map(stream).collect();
        let yaml = format!(
            "apiVersion: lifeboat.dev/v1alpha1\nkind: PersistentQueue\nmetadata: {{name: q}}\n\
             spec:\n  storage: {{size: {size}}}\n  streams:\n{streams}"
        );
        lifeboat_api::validate_dataplane(&lifeboat_api::parse(&yaml).unwrap()).unwrap()
    }

    #[test]
    fn segments_are_a_64th_of_the_quota_within_bounds() {
        for (size, expected) in [("64Mi", MIB), ("1Gi", 16 * MIB), ("10Gi", 64 * MIB)] {
            let sizes = sizes(&dataplane(size, 1), u64::MAX, 0);
            assert_eq!(sizes.streams[0].segment_bytes, expected, "{size}");
        }
        let small_disk = sizes(&dataplane("10Gi", 1), 128 * MIB, 0);
        assert_eq!(small_disk.streams[0].segment_bytes, 2 * MIB);
    }

    #[test]
    fn everything_fits_the_quota_and_the_memory() {
        for streams in 1..=8 {
            let dataplane = dataplane("64Mi", streams);
            let sizes = sizes(&dataplane, u64::MAX, 0);
            let disk: u64 = sizes.streams.iter().map(|stream| stream.max_bytes).sum();
            assert!(disk + overhead(&sizes.volume) <= dataplane.storage_size);
            let waiting = 2 * sizes.volume.queue_bytes + sizes.volume.tail_bytes;
            let connections = sizes.connection_bytes + sizes.output_bytes;
            assert!((waiting * streams + connections) as u64 <= dataplane.memory);
            for stream in &sizes.streams {
                assert!(stream.max_bytes >= 8 * stream.segment_bytes);
            }
        }
    }
}
