//! What an operator does to a data directory that no process has open.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::committer::Now;
use crate::error::LogError;
use crate::handle::{LogHandle, OnDamage};
use crate::mend::Accepted;
use crate::retention::Retention;
use crate::sync_mode::SyncMode;
use crate::verify::verify;
use crate::vfs::Vfs;
use crate::volume::{KEPT_IDS, STREAMS, StreamOptions, Volume, VolumeOptions};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What it cost.
    pub accepted: Accepted,
    /// Why the stream is stopped all the same, if it is.
    pub stopped: Option<Arc<str>>,
}

/// Reads all of a stream, and mends what is damaged: what is lost is lost.
///
/// # Errors
/// As those of [`Volume::open`]; [`LogError::Io`] when there is no such stream.
pub fn accept_gap(
    vfs: Arc<dyn Vfs>,
    dir: &Path,
    stream: &str,
    unix_nanos: u64,
    seed: u64,
) -> Result<Outcome, LogError> {
    let path = dir.join(STREAMS).join(stream);
    let names = vfs.list(&path).map_err(LogError::io("open", &path))?;
    let options = VolumeOptions {
        queue_bytes: 1 << 20,
        tail_bytes: 0,
        snapshot_bytes: 4 << 20,
        sync: SyncMode::Always,
        reserve_bytes: 1 << 20,
        seed,
    };
    let stream = StreamOptions {
        name: stream.to_owned(),
        max_bytes: u64::MAX,
        segment_bytes: 1 << 20,
        on_damage: OnDamage::Stop,
        // Nothing goes meanwhile, whatever the rules of the stream are.
        retention: Retention { replay: true, ..Retention::default() },
        deliveries: Vec::new(),
        // Whoever keeps none would let go of those that are there.
        keeps_ids: names.iter().any(|name| name == KEPT_IDS),
    };
    let mut volume = Volume::open(vfs, dir, &options, &[stream])?;
    let now = Now { instant: Instant::now(), unix_nanos };
    let mut outcome = Outcome { accepted: Accepted::default(), stopped: None };
    for opened in &volume.streams {
        let ids = opened.kept_ids.as_ref().map(|kept| &kept.log);
        for log in opened.logs() {
            // Behind what stops the log at the start there may be more.
            while find_damage(log) && outcome.stopped.is_none() {
                let fate = log.accept_gap();
                volume.committer.commit(now)?;
                if let Some(Ok(one)) = fate.outcome() {
                    let is_ids = ids.is_some_and(|ids| Arc::ptr_eq(ids, log));
                    outcome.accepted += if is_ids { one.without_records() } else { one };
                }
                outcome.stopped = log.marks().stopped;
            }
        }
    }
    volume.committer.finish(now)?;
    Ok(outcome)
}

/// Reads all of it. `false` when there is no damage.
fn find_damage(log: &LogHandle) -> bool {
    for segment in log.sealed_segments().iter().filter_map(Weak::upgrade) {
        if let Err(error) = verify(&segment, true, &mut |_| true) {
            log.found_damage(&error);
        }
    }
    log.marks().damage.is_some()
}
