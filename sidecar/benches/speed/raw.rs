//! The disk's yardsticks: what it takes to write and sync, and nothing else.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

/// Messages a sync.
pub(crate) const WINDOW: usize = 512;

/// Messages a second when `count` of `size` bytes are appended to a growing file, `WINDOW` a sync.
pub(crate) fn append(count: usize, size: usize) -> f64 {
    let home = tempfile::tempdir().unwrap();
    let mut file = File::create(home.path().join("raw")).unwrap();
    let batch = vec![b'x'; WINDOW * size];
    let rounds = count.div_ceil(WINDOW);
    let start = Instant::now();
    for _ in 0..rounds {
        file.write_all(&batch).unwrap();
        file.sync_data().unwrap();
    }
    (rounds * WINDOW) as f64 / start.elapsed().as_secs_f64()
}

/// Times of `count` writes of `size` bytes, each synced, into a file whose space is allocated.
pub(crate) fn sync_times(count: usize, size: usize) -> Vec<Duration> {
    let home = tempfile::tempdir().unwrap();
    let mut file = File::create(home.path().join("raw")).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, (count * size) as u64)
        .unwrap();
    file.sync_all().unwrap();
    let message = vec![b'x'; size];
    let timed = |_| {
        let start = Instant::now();
        file.write_all(&message).unwrap();
        file.sync_data().unwrap();
        start.elapsed()
    };
    (0..count).map(timed).collect()
}
