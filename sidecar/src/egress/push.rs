//! One PUSH delivery and its connections: runs of records out of the batches as they are on disk,
//! without a copy, and what the applications have taken. The rules are in [`crate::delivery::push`].

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use event_listener::Event;
use lifeboat_log::{Batch, DeliveryId, JournalQueue, LogHandle, Op, StreamId, Urgency};
use lifeboat_zmtp::{CloseReason, Connection, Event as Driven};
use tokio::select;
use tokio::time::sleep_until;

use super::Standing;
use super::hold::Hold;
use super::holes;
use super::payloads::{Found, Payloads};
use crate::delivery::push::PushCursor;
use crate::delivery::trail::TrailPolicy;
use crate::delivery::{Effects, JournalOp};
use crate::metrics::DeliveryMetrics;
use crate::share::{OutputMemory, OutputShare};
use crate::stop::Stop;

/// How often a connection looks how much was taken, while something is not.
const LOOK: Duration = Duration::from_millis(20);
/// How often it looks while there is nothing to learn.
const IDLE: Duration = Duration::from_secs(3600);

/// What a delivery is given when the sidecar starts.
#[derive(Debug)]
pub struct PushParts {
    /// The stream's id.
    pub stream_id: StreamId,
    /// The delivery's id.
    pub delivery_id: DeliveryId,
    /// What the journal knows, and the user's trail.
    pub cursor: PushCursor,
    /// The stream's records.
    pub log: Arc<LogHandle>,
    /// The way into the journal.
    pub journal: Arc<JournalQueue>,
    /// What its connections may have on their way.
    pub output: Arc<OutputMemory>,
    /// What it counts.
    pub metrics: DeliveryMetrics,
}

/// A PUSH delivery, shared by its connections.
#[derive(Debug)]
pub struct PushDelivery {
    stream_id: StreamId,
    delivery_id: DeliveryId,
    log: Arc<LogHandle>,
    payloads: Payloads,
    journal: Arc<JournalQueue>,
    output: Arc<OutputMemory>,
    metrics: DeliveryMetrics,
    inner: Mutex<Inner>,
    hold: Hold,
    /// Records became due again.
    work: Event,
}

#[derive(Debug)]
struct Inner {
    cursor: PushCursor,
    effects: Effects,
    /// Redeliveries that the metrics were told of.
    redelivered: u64,
}

impl PushDelivery {
    /// Starts from what the journal knows.
    pub fn new(parts: PushParts) -> Arc<Self> {
        let inner = Inner { cursor: parts.cursor, effects: Effects::default(), redelivered: 0 };
        let hold = Hold::new(&parts.log);
        Arc::new(Self {
            stream_id: parts.stream_id,
            delivery_id: parts.delivery_id,
            payloads: Payloads::new(Arc::clone(&parts.log)),
            log: parts.log,
            journal: parts.journal,
            output: parts.output,
            metrics: parts.metrics,
            inner: Mutex::new(inner),
            hold,
            work: Event::new(),
        })
    }

    /// Where the delivery stands.
    pub(super) fn standing(&self) -> Standing {
        let inner = self.lock();
        let figures = inner.cursor.figures(self.log.published_end());
        Standing {
            cursor: inner.cursor.cursor().clone(),
            delivered_end: figures.delivered_end,
            in_flight: figures.in_flight,
            delivered: self.metrics.delivered.get(),
            redelivered: self.metrics.redelivered.get(),
            lost: self.metrics.lost.get(),
        }
    }

    /// Another trail from now on.
    pub(super) fn set_policy(&self, policy: TrailPolicy) {
        self.step(|cursor, _| cursor.set_policy(policy));
        self.work.notify(usize::MAX);
    }

    /// Settles what no application needs to settle.
    pub(super) fn skip(&self, seqs: Range<u64>) -> u64 {
        let count = self.step(|cursor, effects| cursor.skip(seqs, effects));
        self.work.notify(usize::MAX);
        count
    }

    /// Keeps back what is not published yet.
    pub(super) fn hold_new(&self) {
        self.step(|_, _| self.hold.set());
    }

    /// Lets everything through but these records, which are settled in the same step.
    pub(super) fn release(&self, without: &[Range<u64>]) {
        self.step(|cursor, effects| {
            for seqs in without {
                cursor.skip(seqs.clone(), effects);
            }
            self.hold.release();
        });
        self.work.notify(usize::MAX);
    }

    /// One step of the cursor; what it settles is journaled in the order of the steps.
    fn step<T>(&self, step: impl FnOnce(&mut PushCursor, &mut Effects) -> T) -> T {
        let mut inner = self.lock();
        let Inner { cursor, effects, redelivered } = &mut *inner;
        let outcome = step(cursor, effects);
        let ops = effects.journal.drain(..).filter_map(|op| match op {
            JournalOp::Settled(range) => {
                self.metrics.settled.inc_by(range.end - range.start);
                let (stream, delivery) = (self.stream_id, self.delivery_id);
                Some(Op::Settled { stream, delivery, range })
            }
            // A PULL application cannot fail a record.
            JournalOp::Attempt { .. } => None,
        });
        let mut ops = ops.peekable();
        if ops.peek().is_some() {
            self.journal.submit(ops, Urgency::Lazy);
        }
        let total = cursor.redelivered();
        self.metrics.redelivered.inc_by(total - *redelivered);
        *redelivered = total;
        outcome
    }

    /// No record is left at `seqs`.
    pub(super) fn step_over(&self, seqs: Range<u64>) {
        let holes = self.log.holes();
        let mut inner = self.lock();
        let over = holes::step_over(seqs, &holes, |seqs, effects| {
            inner.cursor.skip(seqs, effects);
        });
        self.metrics.lost.inc_by(over.lost());
        // Under the lock: the journal is told in the order of the steps.
        self.journal.submit(over.ops(self.stream_id, self.delivery_id), Urgency::Lazy);
        drop(inner);
        self.work.notify(usize::MAX);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves one application's connection until it ends or the order to stop comes.
pub(super) async fn serve(connection: Connection, delivery: Arc<PushDelivery>, stop: Stop) {
    let id = connection.peer().id;
    let share = delivery.output.join();
    let looked = Instant::now();
    let mut session =
        Session { id, connection, delivery, share, looked, written: 0, detached: false };
    session.delivery.step(|cursor, _| cursor.connect(id));
    let reason = session.run(stop).await;
    session.delivery.step(|cursor, _| cursor.disconnect(id));
    session.delivery.work.notify(usize::MAX);
    session.connection.close(reason).await;
}

struct Session {
    id: u64,
    connection: Connection,
    delivery: Arc<PushDelivery>,
    share: OutputShare,
    /// When it was last asked how much was taken.
    looked: Instant,
    /// How much was written then.
    written: u64,
    /// Whether what waits is in memory of its own.
    detached: bool,
}

impl Session {
    async fn run(&mut self, mut stop: Stop) -> CloseReason {
        loop {
            let (woken, changed) = (self.delivery.work.listen(), self.delivery.log.changed());
            self.fill();
            let look = sleep_until(self.next_look().into());
            select! {
                biased;
                () = stop.ordered() => return CloseReason::Shutdown,
                event = self.connection.drive() => match event {
                    Ok(Driven::Flushed) => self.look(),
                    // The codec lets no message of a PULL through.
                    Ok(Driven::Messages) => self.connection.consume_all(),
                    Err(reason) => return reason,
                },
                () = look => self.look(),
                () = woken => {}
                () = changed => {}
            }
        }
    }

    /// Queues runs until the connection has enough or nothing is left.
    fn fill(&mut self) {
        let limit = self.share.limit();
        self.connection.set_low_mark(limit / 2);
        while self.connection.queued() < limit {
            let next = {
                let inner = self.delivery.lock();
                inner.cursor.next(self.delivery.hold.end())
            };
            let Some(next) = next else {
                self.delivery.payloads.rest();
                return;
            };
            match self.delivery.payloads.find(next) {
                Found::Batch(batch) => self.send(&batch, next, limit),
                Found::Gone(end) => self.delivery.step_over(next..end),
                // A change of the log has it look again.
                Found::Nothing => return,
            }
        }
    }

    /// Takes a run of about `limit` bytes out of `batch`, from `next` on, unless another connection
    /// was faster.
    fn send(&mut self, batch: &Batch, next: u64, limit: usize) {
        let max = records_within(batch, next, limit as u64);
        let (id, limit) = (self.id, &self.delivery.hold);
        let run = self.delivery.step(|cursor, _| {
            // Read in here: another connection may have taken more than was published before.
            let run = cursor.take(id, limit.end(), max)?;
            let held = batch.first_seq..batch.end_seq();
            if held.contains(&run.start) && run.end <= held.end {
                cursor.sent(id, run.start, batch.sizes(run.clone()));
                Some(run)
            } else {
                cursor.give_back(id);
                None
            }
        });
        if let Some(run) = run {
            self.delivery.metrics.delivered.inc_by(run.end - run.start);
            self.connection.enqueue(batch.payloads_of(run));
            self.detached = false;
        }
    }

    /// Looks how much the application has taken, and settles what that allows.
    fn look(&mut self) {
        self.free_batches();
        let taken = self.connection.taken();
        self.looked = Instant::now();
        match taken {
            Ok(taken) => {
                let (id, now) = (self.id, self.looked);
                self.delivery.step(|cursor, effects| cursor.progress(id, taken, now, effects));
            }
            Err(error) => tracing::debug!(%error, "cannot tell what was taken"),
        }
    }

    /// Once nothing was written since the last look, maybe for long, what waits stays and the batches
    /// that it was cut from go.
    fn free_batches(&mut self) {
        let written = self.connection.written();
        if written != self.written {
            (self.written, self.detached) = (written, false);
        } else if !self.detached {
            self.connection.detach_output();
            self.detached = true;
        }
    }

    /// When to look next. Counted from the last look and not from now: a log that changes all the
    /// time would put it off for ever.
    fn next_look(&self) -> Instant {
        let soon = self.looked + LOOK;
        let (waiting, deadline) = {
            let inner = self.delivery.lock();
            (inner.cursor.has_untaken(self.id), inner.cursor.next_deadline(self.id))
        };
        match (waiting, deadline) {
            (true, _) => soon,
            (false, Some(deadline)) => deadline.max(soon),
            (false, None) => soon + IDLE,
        }
    }
}

/// How many records from `seq` on lie within `limit` bytes; at least one.
fn records_within(batch: &Batch, seq: u64, limit: u64) -> u64 {
    let mut bytes = 0;
    let fit = batch.sizes(seq..batch.end_seq()).take_while(|&size| {
        bytes += u64::from(size);
        bytes <= limit
    });
    (fit.count() as u64).max(1)
}
