//! One application's connection to a Credit delivery: HELLO, then records as its credit allows,
//! and its verdicts.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Instant;

use lifeboat_log::{Batch, Fate, LogError};
use lifeboat_zmtp::{CloseReason, Connection, Event};
use tokio::select;

use super::credit::CreditDelivery;
use crate::delivery::LeaseKey;
use crate::delivery::lease::Grant;
use crate::share::{OutputShare, packed};
use crate::stop::Stop;
use crate::wire::credit::{Refusal, Verb, append_err, append_hello, append_msg_prefix, parse};

/// Most records leased at once.
const GRANT_LIMIT: u32 = 1024;
/// Bytes of a record before any was seen.
const USUAL_RECORD: usize = 4 << 10;

/// Serves the connection until it ends or the order to stop comes.
pub(super) async fn serve(connection: Connection, delivery: Arc<CreditDelivery>, stop: Stop) {
    let id = connection.peer().id;
    let mut session = Session {
        id,
        share: delivery.output.join(),
        delivery,
        connection,
        epoch: 0,
        ready: VecDeque::new(),
        unconfirmed: VecDeque::new(),
        acked: Vec::new(),
        mean: USUAL_RECORD,
    };
    let reason = session.run(stop).await;
    session.delivery.step(|leases, _| leases.disconnect(id));
    session.delivery.wake();
    session.connection.close(reason).await;
}

struct Session {
    id: u64,
    connection: Connection,
    delivery: Arc<CreditDelivery>,
    share: OutputShare,
    epoch: u64,
    /// Leased, and not on their way yet.
    ready: VecDeque<Grant>,
    /// Leased again: they wait for the journal's sync.
    unconfirmed: VecDeque<(Arc<Fate<()>>, Vec<Grant>)>,
    /// Tokens that were acknowledged, to be applied together.
    acked: Vec<LeaseKey>,
    /// Bytes of a record, as the last ones were on average.
    mean: usize,
}

impl Session {
    async fn run(&mut self, mut stop: Stop) -> CloseReason {
        self.epoch = self.delivery.step(|leases, _| leases.epoch()).0;
        let mut hello = Vec::new();
        append_hello(&mut hello, &self.delivery.origin.stream);
        self.connection.enqueue(hello.into());
        loop {
            let (woken, changed) = (self.delivery.woken(), self.delivery.log.changed());
            let limit = self.share.limit();
            self.connection.set_low_mark(limit / 2);
            if !self.fill(limit) {
                return CloseReason::Shutdown;
            }
            // An application that never reads its errors is not heard until it does.
            self.connection.set_reading(self.connection.queued() < 2 * limit);
            let next = self.unconfirmed.front().map(|(fate, _)| Arc::clone(fate));
            let confirmed = async {
                match next {
                    Some(fate) => fate.wait().await.is_ok(),
                    None => pending().await,
                }
            };
            select! {
                biased;
                () = stop.ordered() => return CloseReason::Shutdown,
                synced = confirmed => {
                    if !self.confirm(synced) {
                        return CloseReason::Shutdown;
                    }
                }
                event = self.connection.drive() => match event {
                    Ok(Event::Messages) => self.take_messages(),
                    Ok(Event::Flushed) => {}
                    Err(reason) => return reason,
                },
                () = woken => {}
                () = changed => {}
            }
        }
    }

    /// Leases what the credit allows and queues what the connection has room for. `false` when the
    /// stream cannot be read.
    fn fill(&mut self, limit: usize) -> bool {
        self.follow(self.delivery.epoch());
        while self.connection.queued() < limit {
            let room = limit - self.connection.queued();
            if self.ready.is_empty() && !self.lease(room) {
                self.delivery.payloads.rest();
                return true;
            }
            if !self.send(room) {
                return false;
            }
        }
        true
    }

    /// Leases about as many records as fit into `room` bytes: a lease runs, and keeps the record
    /// from other connections, from now on. `false` when none are ready to go out now.
    fn lease(&mut self, room: usize) -> bool {
        let max = u32::try_from(room / self.mean).unwrap_or(u32::MAX).clamp(1, GRANT_LIMIT);
        let mut grants = Vec::new();
        let log = &self.delivery.log;
        let (epoch, fate) = self.delivery.step(|leases, effects| {
            // Read in here: another connection may have handed out more than was published before.
            let (now, published_end) = (Instant::now(), log.published_end());
            leases.grant(self.id, now, published_end, max, &mut grants, effects);
            leases.epoch()
        });
        self.follow(epoch);
        let (ready, again): (Vec<_>, Vec<_>) = grants.into_iter().partition(Grant::is_ready);
        self.ready.extend(ready);
        if let Some(fate) = fate.filter(|_| !again.is_empty()) {
            self.unconfirmed.push_back((fate, again));
        }
        !self.ready.is_empty()
    }

    /// The journal has synced the oldest of what was leased again, or never will.
    fn confirm(&mut self, synced: bool) -> bool {
        self.follow(self.delivery.epoch());
        let Some((_, grants)) = self.unconfirmed.pop_front() else { return true };
        if !synced {
            return false;
        }
        let mut ready = Vec::new();
        self.delivery.step(|leases, _| {
            for grant in &grants {
                leases.confirm(grant, Instant::now(), &mut ready);
            }
        });
        self.ready.extend(ready);
        true
    }

    /// Drops what was leased before a seek: those leases are void.
    fn follow(&mut self, epoch: u64) {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.ready.clear();
            self.unconfirmed.clear();
        }
    }

    /// Queues leased records until `room` bytes are used. `false` when one cannot be read.
    fn send(&mut self, room: usize) -> bool {
        let mut out = Vec::new();
        let mut records = 0;
        let mut batch = None;
        while out.len() < room
            && let Some(mut grant) = self.ready.pop_front()
        {
            while out.len() < room && !grant.seqs.is_empty() {
                let seq = grant.seqs.start;
                if let Err(error) = self.find(seq, &mut batch) {
                    tracing::error!(%error, "stream stopped");
                    return false;
                }
                // None was deleted under us: retention has moved on, and the cursor with it.
                if let Some(payload) = batch.as_ref().and_then(|batch| batch.payload_bytes(seq)) {
                    let lease = LeaseKey { epoch: self.epoch, seq, attempt: grant.attempt };
                    append_msg_prefix(&mut out, self.delivery.origin, lease);
                    out.extend_from_slice(payload);
                    records += 1;
                }
                grant.seqs.start += 1;
            }
            if !grant.seqs.is_empty() {
                self.ready.push_front(grant);
            }
        }
        self.delivery.metrics.delivered.inc_by(records as u64);
        if let Some(mean) = out.len().checked_div(records) {
            self.mean = mean.max(1);
        }
        self.connection.enqueue(packed(out));
        true
    }

    /// Has `batch` be the one that holds `seq`, if there is one.
    fn find(&self, seq: u64, batch: &mut Option<Arc<Batch>>) -> Result<(), LogError> {
        let held = batch.as_ref().is_some_and(|it| (it.first_seq..it.end_seq()).contains(&seq));
        if !held {
            *batch = self.delivery.payloads.batch(seq)?;
        }
        Ok(())
    }

    /// Follows what the application says, in order.
    fn take_messages(&mut self) {
        let mut errors = Vec::new();
        let (delivery, id) = (Arc::clone(&self.delivery), self.id);
        let mut acked = std::mem::take(&mut self.acked);
        for message in self.connection.messages().iter() {
            match parse(message, delivery.origin) {
                Ok(Verb::Ack(tokens)) => {
                    for token in tokens.leases() {
                        match token {
                            Ok(lease) => acked.push(lease),
                            Err(refusal) => refuse(&mut errors, refusal, &delivery),
                        }
                    }
                }
                Ok(verb) => {
                    settle(&delivery, &mut acked, &mut errors);
                    obey(&delivery, id, &verb);
                }
                Err(refusal) => refuse(&mut errors, refusal, &delivery),
            }
        }
        settle(&delivery, &mut acked, &mut errors);
        self.acked = acked;
        self.connection.consume_all();
        if !errors.is_empty() {
            self.connection.enqueue(errors.into());
        }
    }
}

fn refuse(errors: &mut Vec<u8>, refusal: Refusal, delivery: &CreditDelivery) {
    delivery.metrics.refused_verbs.inc();
    append_err(errors, refusal);
}

/// Applies the acknowledgements gathered so far.
fn settle(delivery: &CreditDelivery, acked: &mut Vec<LeaseKey>, errors: &mut Vec<u8>) {
    if acked.is_empty() {
        return;
    }
    let (outcome, _) =
        delivery.step(|leases, effects| leases.ack(acked, delivery.log.published_end(), effects));
    for _ in 0..outcome.refused {
        append_err(errors, Refusal::NoSuchRecord);
    }
    acked.clear();
}

/// Obeys any verb but ACK.
fn obey(delivery: &CreditDelivery, id: u64, verb: &Verb<'_>) {
    let now = Instant::now();
    delivery.step(|leases, effects| match *verb {
        Verb::Probe | Verb::Ack(_) => {}
        Verb::Credit(credit) => leases.set_credit(id, credit),
        Verb::Nack { lease, delay } => {
            leases.nack(lease, delay, now, effects);
        }
        Verb::Reject { lease, reason } => {
            leases.reject(lease, reason, effects);
        }
        Verb::Extend { lease, time } => {
            leases.extend(lease, time, now);
        }
    });
    if matches!(verb, Verb::Nack { .. }) {
        delivery.wake();
    }
}
