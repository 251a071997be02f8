//! Syncs of several files at once, for a disk whose syncs wait for a device.
//!
//! The caller syncs one file itself; long-lived helper threads take the others. A single file
//! never changes threads: on the path of most commits a hop would cost more than it saves.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use crate::vfs::File;

/// Syncs that may be under way at once, the caller's own included.
const PARALLEL: usize = 4;

/// One file to sync, where its result belongs, and whom to tell.
struct Job {
    file: Arc<dyn File>,
    index: usize,
    done: Sender<(usize, io::Result<()>)>,
}

/// Helper threads, started with the first commit that needs them; they end with the pool.
#[derive(Debug, Default)]
pub(crate) struct SyncPool {
    jobs: OnceLock<Sender<Job>>,
}

impl SyncPool {
    /// Syncs every file and returns one result a file, in order.
    pub(crate) fn sync_data_all(&self, files: &[Arc<dyn File>]) -> Vec<io::Result<()>> {
        let Some((own, others)) = files.split_first() else { return Vec::new() };
        if others.is_empty() {
            return vec![own.sync_data()];
        }
        let jobs = self.jobs.get_or_init(start_helpers);
        let (done, results) = mpsc::channel();
        for (index, file) in others.iter().enumerate() {
            let job = Job { file: Arc::clone(file), index, done: done.clone() };
            if let Err(mpsc::SendError(job)) = jobs.send(job) {
                // No thread could be started: slower, not wrong.
                run(&job);
            }
        }
        drop(done);
        let mut all = vec![own.sync_data()];
        // A result that never comes, its helper gone, must read as a failure.
        all.extend(others.iter().map(|_| Err(io::Error::other("the sync did not finish"))));
        for (index, result) in results {
            if let Some(slot) = all.get_mut(index + 1) {
                *slot = result;
            }
        }
        all
    }
}

fn start_helpers() -> Sender<Job> {
    let (sender, receiver) = mpsc::channel();
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 1..PARALLEL {
        let receiver = Arc::clone(&receiver);
        // A thread that cannot be started leaves the work to the others, or to the caller.
        let _ = thread::Builder::new().name("sync".into()).spawn(move || help(&receiver));
    }
    sender
}

fn help(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        run(&job);
    }
}

fn run(job: &Job) {
    // The caller waits for every result, so its end of the channel is there.
    let _ = job.done.send((job.index, job.file.sync_data()));
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::sync::Barrier;

    use super::*;

    /// A file whose sync waits for its companions, and fails if told so.
    #[derive(Debug)]
    struct Slow {
        together: Arc<Barrier>,
        fails: bool,
    }

    impl File for Slow {
        fn len(&self) -> io::Result<u64> {
            Ok(0)
        }
        fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
            Ok(0)
        }
        fn write_at(&self, _: &[IoSlice<'_>], _: u64) -> io::Result<usize> {
            Ok(0)
        }
        fn allocate(&self, _: u64) -> io::Result<()> {
            Ok(())
        }
        fn truncate(&self, _: u64) -> io::Result<()> {
            Ok(())
        }
        fn sync_data(&self) -> io::Result<()> {
            self.together.wait();
            if self.fails { Err(io::Error::other("broken")) } else { Ok(()) }
        }
        fn forget(&self, _: std::ops::Range<u64>) {}
    }

    #[test]
    fn four_syncs_run_at_once_and_each_result_finds_its_place() {
        let pool = SyncPool::default();
        let together = Arc::new(Barrier::new(PARALLEL));
        for round in 0..3 {
            let files: Vec<Arc<dyn File>> = (0..PARALLEL)
                .map(|n| Arc::new(Slow { together: together.clone(), fails: n == round }) as _)
                .collect();
            let results = pool.sync_data_all(&files);
            let failed: Vec<_> = (0..results.len()).filter(|&n| results[n].is_err()).collect();
            assert_eq!(failed, [round]);
        }
    }

    #[test]
    fn more_files_than_threads_are_all_synced() {
        let together = Arc::new(Barrier::new(1));
        let files: Vec<Arc<dyn File>> = (0..20)
            .map(|_| Arc::new(Slow { together: together.clone(), fails: false }) as _)
            .collect();
        let results = SyncPool::default().sync_data_all(&files);
        assert_eq!(results.len(), 20);
        assert!(results.iter().all(Result::is_ok));
        assert!(SyncPool::default().sync_data_all(&[]).is_empty());
    }
}
