//! The records that one connection has leased and not yet sent: those that may go out, and those
//! that wait for the journal's sync, because they were handed out before.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Instant;

use lifeboat_log::{Batch, Fate};

use super::leased::LeasedDelivery;
use super::payloads::Found;
use crate::delivery::LeaseKey;
use crate::delivery::lease::Grant;

/// Bytes of a record before any was seen.
const USUAL_RECORD: usize = 4 << 10;

/// The log is stopped, which takes longer than a lease: the connection ends, and its leases return
/// uncounted.
#[derive(Debug)]
pub(super) struct Unreadable;

/// One connection's.
#[derive(Debug)]
pub(super) struct Outgoing {
    connection: u64,
    delivery: Arc<LeasedDelivery>,
    epoch: u64,
    /// May go out.
    ready: VecDeque<Grant>,
    /// Leased again, the oldest first.
    unconfirmed: VecDeque<(Arc<Fate<()>>, Vec<Grant>)>,
    /// Bytes of a record, as the last ones were on average.
    mean: usize,
}

impl Outgoing {
    pub(super) fn new(connection: u64, delivery: Arc<LeasedDelivery>) -> Self {
        let epoch = delivery.step(|leases, _| leases.epoch()).0;
        let (ready, unconfirmed) = (VecDeque::new(), VecDeque::new());
        Self { connection, delivery, epoch, ready, unconfirmed, mean: USUAL_RECORD }
    }

    /// Whether something may go out.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether something waits for its sync.
    pub(super) fn is_unconfirmed(&self) -> bool {
        !self.unconfirmed.is_empty()
    }

    /// About how many records fit into `room` bytes.
    pub(super) fn records_within(&self, room: usize) -> u32 {
        u32::try_from(room / self.mean).unwrap_or(u32::MAX)
    }

    /// Drops what was leased before a seek: those leases are void.
    pub(super) fn follow_seek(&mut self) {
        self.enter(self.delivery.epoch());
    }

    fn enter(&mut self, epoch: u64) {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.ready.clear();
            self.unconfirmed.clear();
        }
    }

    /// Leases up to `max` records: a lease runs, and keeps the record from other connections, from
    /// now on. `false` when nothing may go out now.
    pub(super) fn lease(&mut self, max: u32) -> bool {
        let hold = &self.delivery.hold;
        if self.delivery.log.is_stopped() {
            // Nothing is leased that cannot be read.
            return self.is_ready();
        }
        let mut grants = Vec::new();
        let (epoch, fate) = self.delivery.step(|leases, effects| {
            // Read in here: another connection may have handed out more than was published before.
            let (now, published_end) = (Instant::now(), hold.end());
            leases.grant(self.connection, now, published_end, max, &mut grants, effects);
            leases.epoch()
        });
        self.enter(epoch);
        let (ready, again): (Vec<_>, Vec<_>) = grants.into_iter().partition(Grant::is_ready);
        self.ready.extend(ready);
        if let Some(fate) = fate.filter(|_| !again.is_empty()) {
            self.unconfirmed.push_back((fate, again));
        }
        self.is_ready()
    }

    /// Whether one record may go out, leased just now if need be. Not while another waits for its
    /// sync: that one will do.
    pub(super) fn has_one(&mut self) -> bool {
        self.follow_seek();
        let found = self.is_ready() || (!self.is_unconfirmed() && self.lease(1));
        if !found {
            self.delivery.payloads.rest();
        }
        found
    }

    /// Completes when the journal has synced the oldest of what waits for it (`true`), or never
    /// will. Hand the answer to [`Self::confirm`].
    pub(super) fn synced(&self) -> impl Future<Output = bool> + use<> {
        let oldest = self.unconfirmed.front().map(|(fate, _)| Arc::clone(fate));
        async move {
            match oldest {
                Some(fate) => fate.wait().await.is_ok(),
                None => pending().await,
            }
        }
    }

    /// The oldest of what waits for its sync may go out, or never will: then `false`.
    pub(super) fn confirm(&mut self, synced: bool) -> bool {
        self.follow_seek();
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

    /// Appends records to `out` by `form`, which is given each one's lease and wire bytes, until it
    /// has `room` bytes, nothing more may go out, or a record cannot be read while the log is mended.
    /// Returns how many. When there is more, whoever waits for the delivery or the log is woken.
    ///
    /// # Errors
    /// The log is stopped.
    pub(super) fn append(
        &mut self,
        out: &mut Vec<u8>,
        room: usize,
        mut form: impl FnMut(&mut Vec<u8>, LeaseKey, &[u8]),
    ) -> Result<usize, Unreadable> {
        let start = out.len();
        let (mut records, mut batch, mut readable) = (0, None, true);
        while out.len() < room
            && readable
            && let Some(mut grant) = self.ready.pop_front()
        {
            while out.len() < room && readable && !grant.seqs.is_empty() {
                let seq = grant.seqs.start;
                match self.find(seq, &mut batch) {
                    Found::Batch(batch) => {
                        let lease = LeaseKey { epoch: self.epoch, seq, attempt: grant.attempt };
                        form(out, lease, batch.payload_bytes(seq).unwrap_or_default());
                        records += 1;
                        grant.seqs.start += 1;
                    }
                    Found::Gone(next) => {
                        grant.seqs.start = next.min(grant.seqs.end);
                        self.delivery.step_over(seq..grant.seqs.start);
                    }
                    Found::Nothing => readable = false,
                }
            }
            if !grant.seqs.is_empty() {
                self.ready.push_front(grant);
            }
        }
        self.delivery.metrics.delivered.inc_by(records as u64);
        if let Some(mean) = (out.len() - start).checked_div(records) {
            self.mean = mean.max(1);
        }
        if !readable && self.delivery.log.is_stopped() { Err(Unreadable) } else { Ok(records) }
    }

    /// What there is at `seq`; `last` is the batch that was found before.
    fn find(&self, seq: u64, last: &mut Option<Arc<Batch>>) -> Found {
        if let Some(batch) = last.as_ref().filter(|it| (it.first_seq..it.end_seq()).contains(&seq))
        {
            return Found::Batch(Arc::clone(batch));
        }
        let found = self.delivery.payloads.find(seq);
        if let Found::Batch(batch) = &found {
            *last = Some(Arc::clone(batch));
        }
        found
    }
}
