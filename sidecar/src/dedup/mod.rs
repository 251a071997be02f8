//! Stores a message once, however often its producer sends it.
//!
//! A message is known by the key that is made of its ingress and its id (`id`). What came lately
//! is in memory (`memory`), what came longer ago in runs (`run`) on disk (`older`). All of it is
//! made from the log at each start: an id is in the batch of its record, synced with it, and is
//! copied to a small log of its own (`copies`) before its segment may go. The `keeper` does that,
//! on its own thread; connections ask [`Dedup`].
//!
//! Nothing here may answer that a message is stored before its record is durable.

mod copies;
mod filter;
mod id;
mod keeper;
mod memory;
mod older;
mod run;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use event_listener::{Event, EventListener};
use lifeboat_log::{DedupId, LogHandle, Rejection, Submitted};
use tokio::sync::mpsc::UnboundedSender;

pub use id::Scope;
pub use keeper::{Keeper, KeeperParts};
use memory::{Memory, Verdict};

/// By what a message is known: 16 bytes that are the same or not.
pub(crate) type Key = [u8; 16];

/// A message that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// A digest of its content.
    pub(crate) content: [u8; 16],
    /// Its record's seq.
    pub(crate) seq: u64,
    /// Unix time of its commit in nanoseconds.
    pub(crate) time: u64,
}

/// The ids of one stream, as its connections see them.
#[derive(Debug)]
pub struct Dedup {
    memory: Mutex<Memory>,
    /// Whoever had to wait for anything here may try again.
    changed: Event,
    /// Copies of the ids, which let the memory go on once they are durable.
    copies: Arc<LogHandle>,
    questions: UnboundedSender<Arc<Question>>,
    /// How often the index on disk was set aside.
    set_aside: AtomicU64,
}

/// What is to be done with one message.
#[derive(Debug, Clone)]
pub enum Decision {
    /// Stored: it is the record with this index in the run.
    New(u64),
    /// The same as that record of the same run.
    Twin(u64),
    /// The same as a record that is on its way to the disk, or just there.
    Same(Submitted),
    /// The same as this record.
    Stored(u64),
    /// Its id was used for another one.
    Conflict,
    /// Nobody can tell, and nobody will soon.
    Unavailable,
}

/// Why messages could not be decided about.
#[derive(Debug)]
pub enum Hold {
    /// Try again when this completes.
    Until(EventListener),
    /// The stream's space for ids is full: the same, but it may take long.
    NoRoom(EventListener),
    /// Try again with this question once it is answered.
    Asked(Arc<Question>, EventListener),
    /// The log has no room, or takes nothing any more.
    Log(Rejection),
}

/// Keys to be looked for on disk, and the answer.
#[derive(Debug, Default)]
pub struct Question {
    keys: Vec<Key>,
    answer: OnceLock<Answer>,
    answered: Event,
}

#[derive(Debug)]
struct Answer {
    /// Of the memory when it was given: another one may know more by now.
    generation: u64,
    found: HashMap<Key, Known>,
}

impl Question {
    fn answer(&self, answer: Answer) {
        let _ = self.answer.set(answer);
        self.answered.notify(usize::MAX);
    }
}

impl Dedup {
    /// Decides about messages in order, and has `store` store the new ones: all in one step, so that
    /// of two connections with one id only one stores. `store` is given the decisions and the ids
    /// of those that are new, by their index among them.
    ///
    /// # Errors
    /// When that cannot be done now; then nothing was.
    pub fn admit(
        &self,
        ids: &[Option<DedupId>],
        window: Duration,
        question: Option<&Question>,
        store: impl FnOnce(&[Decision], &[(u32, DedupId)]) -> Result<Submitted, Rejection>,
    ) -> Result<(Vec<Decision>, Option<Submitted>), Hold> {
        let changed = self.changed.listen();
        let mut memory = self.memory();
        if ids.iter().any(Option::is_some) && !memory.takes_more() {
            memory.forget_refused();
            if !memory.takes_more() {
                let full = memory.is_ready() && self.copies.marks().full;
                return Err(if full { Hold::NoRoom(changed) } else { Hold::Until(changed) });
            }
        }
        let mut plan = Plan { now: unix_nanos(), window, question, ..Plan::default() };
        for id in ids {
            plan.decide(&memory, *id);
        }
        if !plan.unknown.is_empty() {
            drop(memory);
            return Err(self.ask(plan.unknown));
        }
        let Plan { decisions, new, next, .. } = plan;
        if next == 0 {
            return Ok((decisions, None));
        }
        let submitted = store(&decisions, &new).map_err(Hold::Log)?;
        for (index, id) in new {
            let index = submitted.index + u64::from(index);
            memory.submitted(&id, Submitted { index, ..submitted.clone() });
        }
        Ok((decisions, Some(submitted)))
    }

    /// Ids that are remembered.
    pub fn ids(&self) -> u64 {
        self.memory().len()
    }

    /// Whether ids are known: not while they are gathered after a start, or once more.
    pub fn is_ready(&self) -> bool {
        self.memory().is_ready()
    }

    /// How often the index on disk was set aside since the start.
    pub fn set_aside(&self) -> u64 {
        self.set_aside.load(Ordering::Relaxed)
    }

    fn ask(&self, keys: Vec<Key>) -> Hold {
        let question = Arc::new(Question { keys, ..Question::default() });
        let answered = question.answered.listen();
        // Without a keeper the sidecar is about to end, and so is whoever waits.
        let _ = self.questions.send(Arc::clone(&question));
        Hold::Asked(question, answered)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decisions about a run of messages.
#[derive(Default)]
struct Plan<'a> {
    now: u64,
    window: Duration,
    question: Option<&'a Question>,
    decisions: Vec<Decision>,
    /// Ids of new messages, by their index among the new ones.
    new: Vec<(u32, DedupId)>,
    /// The same, by key.
    within: HashMap<Key, (u32, [u8; 16])>,
    /// New messages so far.
    next: u32,
    unknown: Vec<Key>,
}

impl Plan<'_> {
    fn decide(&mut self, memory: &Memory, id: Option<DedupId>) {
        let decision = match id {
            None => self.store(),
            Some(id) => match self.within.get(&id.key) {
                Some(&(index, content)) if content == id.content => Decision::Twin(index.into()),
                Some(_) => Decision::Conflict,
                None => self.look_up(memory, id),
            },
        };
        self.decisions.push(decision);
    }

    fn look_up(&mut self, memory: &Memory, id: DedupId) -> Decision {
        let answer = self.question.and_then(|question| question.answer.get());
        match memory.verdict(&id, self.window, self.now, answer) {
            Verdict::New => {
                self.within.insert(id.key, (self.next, id.content));
                self.new.push((self.next, id));
                self.store()
            }
            Verdict::Same(submitted) => Decision::Same(submitted),
            Verdict::Stored(seq) => Decision::Stored(seq),
            Verdict::Other => Decision::Conflict,
            Verdict::Unavailable => Decision::Unavailable,
            Verdict::OnDisk => {
                self.unknown.push(id.key);
                Decision::Unavailable
            }
        }
    }

    fn store(&mut self) -> Decision {
        self.next += 1;
        Decision::New(u64::from(self.next - 1))
    }
}

fn unix_nanos() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    nanos(since_epoch)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
