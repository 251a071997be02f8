//! Reads all sealed segments now and then, slowly, so that damage is known before a delivery meets
//! it. It holds no lock while it reads, and leaves nothing of what it read in the page cache.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::LogError;
use crate::handle::LogHandle;
use crate::verify::{Verified, verify};
use crate::view::SegmentView;

/// How it goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubOptions {
    /// Bytes read in a second.
    pub bytes_per_second: u64,
    /// From the start to the first round.
    pub first_after: Duration,
    /// From the end of a round to the next.
    pub rest: Duration,
}

impl Default for ScrubOptions {
    fn default() -> Self {
        Self {
            bytes_per_second: 8 << 20,
            first_after: Duration::from_secs(60),
            rest: Duration::from_secs(24 * 3600),
        }
    }
}

/// The thread that reads. It ends when this is dropped.
#[derive(Debug)]
pub struct Scrubber {
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: Mutex<bool>,
    stopped: Condvar,
    progress: Arc<ScrubProgress>,
}

/// How far it has come since the start.
#[derive(Debug, Default)]
pub struct ScrubProgress {
    bytes: AtomicU64,
    rounds: AtomicU64,
}

impl ScrubProgress {
    /// Bytes that were read.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Rounds that were completed.
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }
}

impl Scrubber {
    /// Starts reading `logs`.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn spawn(logs: Vec<Arc<LogHandle>>, options: ScrubOptions) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new().name("lifeboat-scrub".into()).spawn({
            let shared = Arc::clone(&shared);
            move || run(&logs, options, &shared)
        })?;
        Ok(Self { thread: Some(thread), shared })
    }

    /// How far it has come.
    pub fn progress(&self) -> Arc<ScrubProgress> {
        Arc::clone(&self.shared.progress)
    }
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        *self.shared.stopping.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.stopped.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// `false` when it was told to stop meanwhile.
    fn sleep(&self, time: Duration) -> bool {
        let stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.stopped.wait_timeout_while(stopping, time, |stopping| !*stopping);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn run(logs: &[Arc<LogHandle>], options: ScrubOptions, shared: &Shared) {
    let mut wait = options.first_after;
    while shared.sleep(wait) {
        for log in logs {
            if !scrub(log, options, shared) {
                return;
            }
        }
        shared.progress.rounds.fetch_add(1, Ordering::Relaxed);
        wait = options.rest;
    }
}

/// One round over one log. `false` when it was told to stop.
fn scrub(log: &Arc<LogHandle>, options: ScrubOptions, shared: &Shared) -> bool {
    for view in log.sealed_segments() {
        // A deleted one has its space on the disk for as long as it is held.
        let Some(view) = view.upgrade().filter(|view| log.still_has(view)) else { continue };
        match verify(&view, true, &mut Pace::new(&view, options, shared).on_read()) {
            Ok(Verified::Interrupted) => return false,
            // What was deleted or mended meanwhile is no damage any more.
            Err(error) if log.still_has(&view) => report(log, &error),
            _ => {}
        }
    }
    true
}

fn report(log: &LogHandle, error: &LogError) {
    tracing::error!(%error, "damage found before a delivery met it");
    log.found_damage(error);
}

/// Keeps to the rate, and the page cache as it was.
struct Pace<'a> {
    view: &'a SegmentView,
    options: ScrubOptions,
    shared: &'a Shared,
    started: Instant,
    read: u64,
    /// Read, and maybe still in the cache.
    cached: Range<u64>,
}

/// So many bytes are read between two looks at the clock.
const PIECE: u64 = 512 << 10;

impl<'a> Pace<'a> {
    fn new(view: &'a SegmentView, options: ScrubOptions, shared: &'a Shared) -> Self {
        Self { view, options, shared, started: Instant::now(), read: 0, cached: 0..0 }
    }

    fn on_read(mut self) -> impl FnMut(Range<u64>) -> bool {
        move |bytes| {
            self.cached.end = bytes.end;
            let whole = bytes.end >= self.view.published_len();
            if self.cached.end - self.cached.start < PIECE && !whole {
                return true;
            }
            self.pause()
        }
    }

    /// Waits until the rate allows more.
    fn pause(&mut self) -> bool {
        let len = self.cached.end - self.cached.start;
        self.view.file.forget(self.cached.clone());
        self.cached.start = self.cached.end;
        self.read += len;
        self.shared.progress.bytes.fetch_add(len, Ordering::Relaxed);
        let rate = self.options.bytes_per_second.max(1);
        let due = Duration::from_micros(self.read.saturating_mul(1_000_000) / rate);
        self.shared.sleep(due.saturating_sub(self.started.elapsed()))
    }
}
