//! Keeps the ids of one stream, on a thread of its own: follows its log, has ids copied to the log
//! that outlives their records, moves them to disk, forgets old ones, and looks up what is on disk.

mod copying;
mod gather;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use event_listener::Event;
use lifeboat_log::{JournalQueue, KeptIds, LogError, LogHandle, Read, Refusal};
use tokio::runtime::Handle;
use tokio::select;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::sleep_until;

use self::copying::Copying;
use self::gather::Gather;
use super::copies;
use super::memory::Memory;
use super::older::{Older, Owner};
use super::{Answer, Dedup, Question, unix_nanos};
use crate::index::{Doubt, Place};
use crate::stop::Stop;

/// When what failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// No call of the store takes longer, or it hangs.
const STORE_LIMIT: Duration = Duration::from_secs(20);

/// What a keeper works with.
#[derive(Debug)]
pub struct KeeperParts {
    /// The stream's name.
    pub stream: String,
    /// Its records.
    pub log: Arc<LogHandle>,
    /// Its copies of ids.
    pub kept: KeptIds,
    /// Where it settles.
    pub journal: Arc<JournalQueue>,
    /// Ids are kept for so long.
    pub window: Duration,
    /// Ids that are held in memory before they go to disk.
    pub capacity: usize,
    /// The data directory.
    pub data: PathBuf,
    /// The volume's id.
    pub volume: [u8; 16],
    /// The volume's epoch.
    pub epoch: u64,
}

/// The thread's own.
#[derive(Debug)]
pub struct Keeper {
    dedup: Arc<Dedup>,
    stream: String,
    log: Arc<LogHandle>,
    window: Duration,
    questions: UnboundedReceiver<Arc<Question>>,
    older: Older,
    gather: Gather,
    copying: Copying,
    /// When the index is tried again.
    retry: Option<Instant>,
    expiry: Instant,
}

/// Why the work cannot go on.
#[derive(Debug)]
enum Trouble {
    /// Nothing on disk is to be believed.
    Index(Doubt),
    /// The stream's own log, or that of the copies, cannot be read.
    Log(Arc<LogHandle>, LogError),
    /// Nothing is stored any more, or not until a log is mended.
    Closed(Refusal),
}

impl From<Doubt> for Trouble {
    fn from(doubt: Doubt) -> Self {
        Self::Index(doubt)
    }
}

impl Keeper {
    /// The ids of a stream and who keeps them.
    pub fn new(parts: KeeperParts) -> (Arc<Dedup>, Self) {
        let (asks, questions) = unbounded_channel();
        let dedup = Arc::new(Dedup {
            memory: Memory::new(parts.capacity).into(),
            changed: Event::new(),
            copies: Arc::clone(&parts.kept.log),
            questions: asks,
            set_aside: AtomicU64::new(0),
        });
        let ids = [parts.volume, parts.log.id().0];
        let place = Place::new(&parts.data, &parts.stream);
        let keeper = Self {
            dedup: Arc::clone(&dedup),
            stream: parts.stream,
            window: parts.window,
            questions,
            older: Older::new(place, Owner { ids, epoch: parts.epoch }, STORE_LIMIT),
            gather: Gather::new(&parts.log),
            copying: Copying::new(&parts.log, parts.kept, parts.journal),
            log: parts.log,
            retry: None,
            expiry: Instant::now(),
        };
        (dedup, keeper)
    }

    /// Keeps until the order to stop, or until nothing is stored any more. Blocks the thread, which
    /// is one of an async runtime's for blocking work.
    pub fn run(mut self, mut stop: Stop) {
        let runtime = Handle::current();
        loop {
            match self.work() {
                Ok(()) => {}
                Err(Trouble::Index(doubt)) => self.start_over(&doubt),
                Err(Trouble::Log(log, error)) => {
                    tracing::error!(stream = self.stream, %error, "damage met; ids are not known");
                    log.damaged(&error);
                    self.pause();
                }
                Err(Trouble::Closed(Refusal::Stopped)) => self.pause(),
                Err(Trouble::Closed(_)) => break,
            }
            if runtime.block_on(self.wait(&mut stop)) {
                return;
            }
        }
        self.fail();
    }

    /// Nothing is known until a log is mended: then all is gathered anew.
    fn pause(&mut self) {
        self.fail();
        self.gather.start_over(&self.log);
        self.copying.start_over();
        self.retry = Some(Instant::now() + RETRY);
    }

    fn fail(&self) {
        self.dedup.memory().fail();
        self.dedup.changed.notify(usize::MAX);
    }

    /// Does everything that can be done now.
    fn work(&mut self) -> Result<(), Trouble> {
        if self.retry.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        self.retry = None;
        if self.log.marks().stopped.is_some() {
            return Err(Trouble::Closed(Refusal::Stopped));
        }
        self.gather()?;
        self.answer()?;
        self.follow()?;
        self.copy()?;
        self.spill()?;
        self.expire()?;
        self.look_whether_ready();
        Ok(())
    }

    /// Waits until there is something to do; `true` when that is to stop.
    async fn wait(&mut self, stop: &mut Stop) -> bool {
        let changed = self.log.changed();
        let next = self.copying.due().map_or(self.expiry, |due| due.min(self.expiry));
        let due = self.retry.unwrap_or(next);
        if self.retry.is_none() && self.copying.takes_more(self.log.published_end()) {
            return stop.is_ordered();
        }
        select! {
            biased;
            () = stop.ordered() => return true,
            question = self.questions.recv() => self.gather.questions.extend(question),
            () = self.copying.decided() => {}
            () = changed => {}
            () = sleep_until(due.into()) => {}
        }
        false
    }

    /// Reads what was stored and notes its ids.
    fn follow(&mut self) -> Result<(), Trouble> {
        let end = self.log.published_end();
        while self.copying.takes_more(end) {
            let from = self.copying.position();
            let read = self.copying.records.read(from);
            match read.map_err(|error| Trouble::Log(Arc::clone(&self.log), error))? {
                Read::Batch(batch) => {
                    let new = batch.ids().filter(|(seq, _)| *seq >= from);
                    let new: Vec<_> =
                        new.map(|(seq, id)| copies::copied(seq, id, batch.time)).collect();
                    if !new.is_empty() {
                        let mut memory = self.dedup.memory();
                        for id in &new {
                            memory.durable(*id);
                        }
                    }
                    self.copying.note(new, batch.end_seq());
                }
                Read::Deleted { next } => self.copying.note(Vec::new(), next),
                Read::End => break,
            }
        }
        Ok(())
    }

    /// Copies what waits for it, and takes over what is copied.
    fn copy(&mut self) -> Result<(), Trouble> {
        if let Some((ids, end)) = self.copying.copied()? {
            self.dedup.memory().copied(&ids);
            self.gather.copies_end = end;
            self.dedup.changed.notify(usize::MAX);
        }
        self.copying.go_on()
    }

    /// Moves young ids to disk when there are enough of them.
    fn spill(&mut self) -> Result<(), Trouble> {
        let Some(ids) = self.dedup.memory().start_spill() else { return Ok(()) };
        let copies = self.gather.young_from..self.gather.copies_end;
        let witness = self.witness(copies.end.saturating_sub(1))?.unwrap_or(0);
        let run = self.older.spill(&ids, copies, witness)?;
        self.dedup.memory().spilled(run);
        self.gather.young_from = self.gather.copies_end;
        self.dedup.changed.notify(usize::MAX);
        Ok(())
    }

    /// Forgets what is older than the longest window.
    fn expire(&mut self) -> Result<(), Trouble> {
        let now = Instant::now();
        if now < self.expiry {
            return Ok(());
        }
        self.expiry = now + (self.window / 10).clamp(RETRY, 60 * RETRY);
        let unix_now = unix_nanos();
        self.copying.expire(self.window, unix_now)?;
        let gone = self.dedup.memory().expire(self.window, unix_now);
        gone.iter().try_for_each(|run| self.older.drop_run(run))?;
        Ok(())
    }

    /// Answers what was asked about ids on disk.
    fn answer(&mut self) -> Result<(), Trouble> {
        while let Ok(question) = self.questions.try_recv() {
            self.gather.questions.push(question);
        }
        if self.gather.questions.is_empty() {
            return Ok(());
        }
        let (generation, runs) = self.dedup.memory().older();
        while let Some(question) = self.gather.questions.pop() {
            let found = self.older.look_up(question.keys.clone(), runs.clone());
            // After a doubt the answer is empty and of an old generation: it is asked again.
            let answer = found.as_ref().cloned().unwrap_or_default();
            let generation = if found.is_ok() { generation } else { generation.wrapping_sub(1) };
            question.answer(Answer { generation, found: answer });
            found?;
        }
        Ok(())
    }

    /// Sets aside what is on disk, and gathers everything from the log.
    fn start_over(&mut self, doubt: &Doubt) {
        tracing::warn!(
            stream = self.stream, %doubt,
            "the index of ids is set aside and made anew from the log"
        );
        self.dedup.set_aside.fetch_add(1, Ordering::Relaxed);
        self.dedup.memory().start_over();
        self.dedup.changed.notify(usize::MAX);
        if let Err(doubt) = self.older.set_aside() {
            tracing::error!(stream = self.stream, %doubt, "the index cannot be set aside");
        }
        self.gather.start_over(&self.log);
        self.copying.start_over();
        self.retry = Some(Instant::now() + RETRY);
    }
}
