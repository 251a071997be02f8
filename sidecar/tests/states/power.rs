//! `lifeboat quiesce` and the disk: what was read is on it when the order is carried out, so that
//! the power may go. SIGKILL alone, which keeps the page cache, could not tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lifeboat_log::sim::{Liar, Lie, SimDisk};
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{Read, StreamOptions, Volume};
use lifeboat_sidecar::sizing::sizes;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::support::PATIENCE;
use crate::support::simulated::Simulated;
use crate::support::sockets::unconnected;
use crate::{OUT, PUSH, yaml};

/// What a PUSH producer under load comes to: messages that were read when all was quiesced, and
/// records that are on the disk after a power cut right then.
async fn read_and_kept(seed: u64, through: impl FnOnce(SimDisk) -> Arc<dyn Vfs>) -> (u64, u64) {
    let text = yaml("1Gi", &[("work", PUSH, OUT)]);
    let mut queue = Simulated::start(&text, through).await;
    let (endpoint, done) = (queue.ingress(0), Arc::new(AtomicBool::new(false)));
    let stop = Arc::clone(&done);
    let producer = tokio::task::spawn_blocking(move || {
        let socket = unconnected(zmq::PUSH);
        socket.set_linger(0).unwrap();
        socket.set_sndtimeo(50).unwrap();
        socket.connect(&endpoint).unwrap();
        while !stop.load(Ordering::Relaxed) {
            let _ = socket.send(&[7; 100][..], 0);
        }
    });
    let node = Arc::clone(&queue.sidecar.node);
    let read = || node.status().streams[0].ingress[0].messages;
    let busy = async {
        while read() < 1_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, busy).await.unwrap();
    queue.sidecar.quiesce().await;
    node.synced().await.unwrap();
    let after = queue.disk.power_cut(&mut SmallRng::seed_from_u64(seed));
    let read = read();
    done.store(true, Ordering::Relaxed);
    producer.await.unwrap();
    let data = queue.home.path().join("data");
    let kept = tokio::task::spawn_blocking(move || records(after, &data)).await.unwrap();
    // A disk that lies may end it with an error.
    let _ = queue.sidecar.stop().await;
    (read, kept)
}

/// Records that a start finds.
fn records(disk: SimDisk, data: &std::path::Path) -> u64 {
    let queue = lifeboat_api::parse(&yaml("1Gi", &[("work", PUSH, OUT)])).unwrap();
    let sizes = sizes(&lifeboat_api::validate_dataplane(&queue).unwrap(), u64::MAX, 1);
    let streams: &[StreamOptions] = &sizes.streams;
    let Ok(volume) = Volume::open(Arc::new(disk), data, &sizes.volume, streams) else { return 0 };
    let mut reader = volume.streams[0].log.reader();
    let mut count = 0;
    while let Ok(Read::Batch(batch)) = reader.read(count) {
        count = batch.end_seq();
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_survives_a_power_cut_right_after_it() {
    for seed in 0..3 {
        let (read, kept) = read_and_kept(seed, |disk| Arc::new(disk)).await;
        assert!(read >= 1_000);
        assert_eq!(kept, read, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn control_a_disk_that_does_not_sync_is_caught() {
    let lying = |disk| -> Arc<dyn Vfs> { Arc::new(Liar::new(disk, Lie::NoDataSync)) };
    let (read, kept) = read_and_kept(1, lying).await;
    assert!(kept < read, "{kept} of {read}");
}
