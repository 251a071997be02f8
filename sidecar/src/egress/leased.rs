//! One delivery to applications that settle each record: the leases that all its connections
//! share, their timer, and its dead letters. The rules are in [`crate::delivery::lease`]; here is
//! what they ask for. It must not know what is spoken on a connection.

use std::future::pending;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use event_listener::{Event, EventListener};
use lifeboat_log::ranges::RangeSet;
use lifeboat_log::{DeliveryId, Fate, JournalQueue, LogHandle, Op, StreamId, Urgency};
use lifeboat_zmtp::CloseReason;
use tokio::select;
use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::Standing;
use super::hold::Hold;
use super::payloads::{Found, Payloads};
use super::{holes, overtake};
use crate::dead_letter::{self, Label};
use crate::delivery::backoff::Policy;
use crate::delivery::lease::{Counters, Leases, Recovered};
use crate::delivery::{Effects, JournalOp, Park, ParkReason};
use crate::metrics::DeliveryMetrics;
use crate::share::OutputMemory;
use crate::stop::Stop;
use crate::wire::token::Origin;

/// How long a record waits that could not be read when it was to be parked.
const PARK_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// What a delivery is given when the sidecar starts.
#[derive(Debug)]
pub struct LeasedParts {
    /// The stream's name.
    pub stream: String,
    /// The delivery's name.
    pub name: String,
    /// The stream's id.
    pub stream_id: StreamId,
    /// The delivery's id.
    pub delivery_id: DeliveryId,
    /// The user's rules.
    pub policy: Policy,
    /// What the journal knows.
    pub recovered: Recovered,
    /// The stream's records.
    pub log: Arc<LogHandle>,
    /// The stream's dead letters.
    pub dead_letters: Arc<LogHandle>,
    /// The way into the journal.
    pub journal: Arc<JournalQueue>,
    /// What its connections may have on their way.
    pub output: Arc<OutputMemory>,
    /// What it counts.
    pub metrics: DeliveryMetrics,
    /// The end of intake: applications that leave after it leave in good order.
    pub quiesced: Stop,
}

/// A delivery with leases, shared by its connections.
#[derive(Debug)]
pub struct LeasedDelivery {
    /// What its tokens say of it.
    pub(super) origin: Origin,
    pub(super) log: Arc<LogHandle>,
    pub(super) payloads: Payloads,
    pub(super) output: Arc<OutputMemory>,
    pub(super) metrics: DeliveryMetrics,
    quiesced: Stop,
    stream: String,
    name: String,
    stream_id: StreamId,
    delivery_id: DeliveryId,
    dead_letters: Arc<LogHandle>,
    journal: Arc<JournalQueue>,
    inner: Mutex<Inner>,
    pub(super) hold: Hold,
    /// Connections that were given nothing may be given something.
    work: Event,
    /// An earlier deadline came up.
    timer: Notify,
    /// There may be records to turn into dead letters.
    parks: Notify,
}

#[derive(Debug)]
struct Inner {
    leases: Leases,
    effects: Effects,
    /// What the metrics were last told.
    counted: Counters,
    /// What the timer is set for, or was told to be.
    armed: Option<Instant>,
}

impl LeasedDelivery {
    /// Starts from what the journal knows. [`Self::run`] must follow.
    pub fn new(parts: LeasedParts) -> Arc<Self> {
        let mut effects = Effects::default();
        let leases = Leases::new(parts.policy, parts.recovered, &mut effects);
        let counted = leases.counters();
        let inner = Inner { leases, effects, counted, armed: None };
        let hold = Hold::new(&parts.log);
        let delivery = Arc::new(Self {
            origin: Origin { stream: parts.stream_id.0, delivery: parts.delivery_id.0 },
            payloads: Payloads::new(Arc::clone(&parts.log)),
            log: parts.log,
            output: parts.output,
            metrics: parts.metrics,
            quiesced: parts.quiesced,
            stream: parts.stream,
            name: parts.name,
            stream_id: parts.stream_id,
            delivery_id: parts.delivery_id,
            dead_letters: parts.dead_letters,
            journal: parts.journal,
            inner: Mutex::new(inner),
            hold,
            work: Event::new(),
            timer: Notify::new(),
            parks: Notify::new(),
        });
        // Some may be to be parked since the last boot ended.
        delivery.step(|_, _| ());
        delivery
    }

    /// One step of the leases, and what it asks for: the journal is told in the order of the
    /// steps, [`Self::run`] learns of dead letters. The fate is of what was journaled.
    pub(super) fn step<T>(
        &self,
        step: impl FnOnce(&mut Leases, &mut Effects) -> T,
    ) -> (T, Option<Arc<Fate<()>>>) {
        let mut inner = self.lock();
        let Inner { leases, effects, counted, armed } = &mut *inner;
        let outcome = step(leases, effects);
        let urgent = effects.journal.iter().any(|op| matches!(op, JournalOp::Attempt { .. }));
        let urgency = if urgent { Urgency::Now } else { Urgency::Lazy };
        let mut settled = 0;
        let ops = effects.journal.drain(..).map(|op| {
            if let JournalOp::Settled(seqs) = &op {
                settled += seqs.end - seqs.start;
            }
            self.op(op)
        });
        let fate = (ops.len() > 0).then(|| self.journal.submit(ops, urgency));
        self.metrics.settled.inc_by(settled);
        if leases.has_parks() {
            self.parks.notify_one();
        }
        self.count(leases.counters(), counted);
        if std::mem::take(&mut effects.wake) {
            self.work.notify(usize::MAX);
        }
        let deadline = leases.next_deadline();
        let earlier = deadline.is_some() && armed.is_none_or(|armed| deadline < Some(armed));
        if earlier {
            *armed = deadline;
            self.timer.notify_one();
        }
        drop(inner);
        (outcome, fate)
    }

    /// A connection has ended for this reason.
    pub(super) fn part(&self, connection: u64, reason: CloseReason) {
        let orderly = matches!(reason, CloseReason::Shutdown) || self.quiesced.is_ordered();
        self.step(|leases, effects| {
            leases.disconnect(connection, orderly, Instant::now(), effects);
        });
    }

    /// No record is to be delivered any more at `seqs`.
    pub(super) fn step_over(&self, seqs: Range<u64>) {
        let (holes, marks) = (self.log.holes(), self.log.marks());
        let mut inner = self.lock();
        let over = holes::step_over(seqs, &holes, &marks, |seqs, effects| {
            inner.leases.skip(seqs, effects);
        });
        if over.is_nothing() {
            return;
        }
        over.count(&self.metrics);
        // Under the lock: the journal is told in the order of the steps.
        self.journal.submit(over.ops(self.stream_id, self.delivery_id), Urgency::Lazy);
        drop(inner);
        self.wake();
    }

    fn op(&self, op: JournalOp) -> Op {
        let (stream, delivery) = (self.stream_id, self.delivery_id);
        match op {
            JournalOp::Settled(range) => Op::Settled { stream, delivery, range },
            JournalOp::Seeked(cursor) => Op::Seeked { stream, delivery, cursor },
            JournalOp::Attempt { seq, tries } => Op::Attempt {
                stream,
                delivery,
                seq,
                attempt: tries.attempt,
                failures: tries.failures,
                suspect: tries.suspect,
            },
        }
    }

    fn count(&self, now: Counters, counted: &mut Counters) {
        let metrics = &self.metrics;
        metrics.redelivered.inc_by(now.redelivered - counted.redelivered);
        metrics.stale_verdicts.inc_by(now.stale_verdicts - counted.stale_verdicts);
        metrics.repeated_acks.inc_by(now.repeated_acks - counted.repeated_acks);
        metrics.refused_acks.inc_by(now.refused_acks - counted.refused_acks);
        metrics.suspected.inc_by(now.suspected - counted.suspected);
        *counted = now;
    }

    /// Goes on elsewhere. The fate is of what was journaled.
    pub(super) fn seek(&self, to: u64, holes: &RangeSet) -> Option<Arc<Fate<()>>> {
        self.step(|leases, effects| leases.seek(to, holes, effects)).1
    }

    /// The epoch of the tokens that are handed out now.
    pub(super) fn epoch(&self) -> u64 {
        self.lock().leases.epoch()
    }

    /// Other rules from now on.
    pub(super) fn set_policy(&self, policy: Policy) {
        self.step(|leases, _| leases.set_policy(policy));
        self.wake();
    }

    /// Settles what no application needs to settle.
    pub(super) fn skip(&self, seqs: Range<u64>) -> u64 {
        let (count, _) = self.step(|leases, effects| leases.skip(seqs, effects));
        self.wake();
        count
    }

    /// Keeps back what is not published yet.
    pub(super) fn hold_new(&self) {
        self.step(|_, _| self.hold.set());
    }

    /// Lets everything through but these records, which are settled in the same step.
    pub(super) fn release(&self, without: &[Range<u64>]) {
        self.step(|leases, effects| {
            for seqs in without {
                leases.skip(seqs.clone(), effects);
            }
            self.hold.release();
        });
        self.wake();
    }

    /// Every connection looks again.
    fn wake(&self) {
        self.work.notify(usize::MAX);
    }

    /// Completes when connections that were given nothing may be given something.
    pub(super) fn woken(&self) -> EventListener {
        self.work.listen()
    }

    /// Where the delivery stands.
    pub(super) fn standing(&self) -> Standing {
        let inner = self.lock();
        let figures = inner.leases.figures(self.log.published_end());
        Standing {
            cursor: inner.leases.cursor().clone(),
            delivered_end: figures.delivered_end,
            in_flight: figures.in_flight,
            delivered: self.metrics.delivered.get(),
            redelivered: self.metrics.redelivered.get(),
            expired: self.metrics.expired.get(),
            dropped: self.metrics.dropped.get(),
            lost: self.metrics.lost.get(),
        }
    }

    /// Keeps time and writes dead letters, until the order to stop.
    pub async fn run(self: Arc<Self>, mut stop: Stop) {
        select! {
            () = stop.ordered() => {}
            () = self.keep_time() => {}
            () = self.park_all() => {}
            () = overtake::follow(&self.log, |seqs| self.step_over(seqs)) => {}
        }
    }

    /// Ends leases and delays whose time has come.
    async fn keep_time(&self) {
        loop {
            let deadline = {
                let mut inner = self.lock();
                inner.armed = inner.leases.next_deadline();
                inner.armed
            };
            let due = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline.into()).await,
                    None => pending().await,
                }
            };
            select! {
                () = due => {
                    self.step(|leases, effects| leases.expire(Instant::now(), effects));
                }
                () = self.timer.notified() => {}
            }
        }
    }

    /// Turns records into dead letters, one after the other.
    async fn park_all(&self) {
        loop {
            let next = self.lock().leases.next_park();
            let Some(park) = next else {
                self.parks.notified().await;
                continue;
            };
            if self.park(&park).await {
                self.step(|leases, effects| leases.parked(park.seq, effects));
                match park.reason {
                    ParkReason::Attempts => self.metrics.exhausted.inc(),
                    ParkReason::Rejected(_) => self.metrics.rejected.inc(),
                }
            } else {
                let retry = Instant::now() + PARK_RETRY;
                self.step(|leases, _| leases.park_failed(park.seq, retry));
            }
        }
    }

    /// Writes one dead letter. `false` when it could not be read or stored now.
    async fn park(&self, park: &Park) -> bool {
        let message = match self.payloads.find(park.seq) {
            Found::Batch(batch) => batch.payload(park.seq),
            Found::Gone(next) => {
                self.step_over(park.seq..next);
                None
            }
            Found::Nothing => None,
        };
        let Some(message) = message else { return false };
        let label = Label::of(park, &self.stream, &self.name);
        let record = match label.seal(&message) {
            Ok(record) => record,
            Err(error) => {
                tracing::error!(stream = self.stream, seq = park.seq, %error, "no dead letter");
                return false;
            }
        };
        // Counted and shown by status; a line each would drown the log when an application rejects
        // everything.
        tracing::debug!(
            stream = self.stream,
            delivery = self.name,
            seq = park.seq,
            failures = park.tries.failures,
            reason = label.reason,
            "record becomes a dead letter"
        );
        dead_letter::store(&self.dead_letters, &record).await
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
