//! The writer thread: one a volume, blocking I/O. It collects the next batch while it syncs the
//! last one, so the batches grow with the load and no timer is needed.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::committer::{Committer, Now};
use crate::error::LogError;
use crate::fate::{Fate, Refusal};
use crate::sync::{AtomicBool, Mutex, thread};
use crate::waker::Waker;

/// The running writer thread.
#[derive(Debug)]
pub struct Writer {
    thread: Mutex<Option<thread::JoinHandle<Result<(), LogError>>>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    stopping: AtomicBool,
    waker: Arc<Waker>,
    ended: Arc<Fate<()>>,
}

impl Writer {
    pub(crate) fn spawn(committer: Committer, waker: Arc<Waker>) -> std::io::Result<Self> {
        let stopping = AtomicBool::new(false);
        let shared = Arc::new(Shared { stopping, waker, ended: Fate::undecided() });
        let thread = thread::Builder::new().name("lifeboat-writer".into()).spawn({
            let shared = Arc::clone(&shared);
            move || run(committer, &shared)
        })?;
        Ok(Self { thread: Mutex::new(Some(thread)), shared })
    }

    /// Decided when the thread has ended: `Err(Poisoned)` when a write or a sync failed.
    pub fn ended(&self) -> Arc<Fate<()>> {
        Arc::clone(&self.shared.ended)
    }

    /// Commits what waits, syncs, and ends the thread. Blocks until that is done.
    ///
    /// # Errors
    /// What ended the thread, now or earlier. A second call has nothing to say.
    pub fn stop(&self) -> Result<(), LogError> {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.waker.wake();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.map_or(Ok(()), |thread| thread.join().unwrap_or(Err(LogError::Poisoned)))
    }
}

/// A writer that nobody can stop any more would write on after its volume's lock is gone.
impl Drop for Writer {
    fn drop(&mut self) {
        // Whoever wants to know how it ended has asked before.
        let _ = self.stop();
    }
}

/// Whatever happens, nobody is left waiting.
struct TellAll<'a> {
    committer: Committer,
    shared: &'a Shared,
    refusal: Refusal,
}

impl Drop for TellAll<'_> {
    fn drop(&mut self) {
        self.committer.close(self.refusal);
        let ended = if self.refusal == Refusal::Closed { Ok(()) } else { Err(self.refusal) };
        self.shared.ended.decide(ended);
    }
}

fn run(committer: Committer, shared: &Shared) -> Result<(), LogError> {
    let stats = committer.stats();
    let mut all = TellAll { committer, shared, refusal: Refusal::Poisoned };
    loop {
        shared.waker.wait(all.committer.deadline());
        let stopping = shared.stopping.load(Ordering::Acquire);
        let _running = stats.running();
        all.committer.commit(now())?;
        if stopping {
            all.committer.finish(now())?;
            all.refusal = Refusal::Closed;
            return Ok(());
        }
    }
}

fn now() -> Now {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_nanos = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
    Now { instant: Instant::now(), unix_nanos }
}
