//! Mends a log while the others go on, between two commits.

use std::time::{Duration, Instant};

use rand::RngCore;

use super::Committer;
use crate::error::LogError;
use crate::fate::Refusal;
use crate::holes::Holes;
use crate::mend::{Accepted, Authority, Mended, Mender, Patient, quarantine_bytes};
use crate::orders::Order;
use crate::recover::Recovered;
use crate::state::Op;

/// How soon a mending that found no room is tried again.
const AGAIN: Duration = Duration::from_secs(10);

impl Committer {
    /// Follows the orders to mend, and tries again what found no room.
    ///
    /// # Errors
    /// Of a sync, and of the journal: final. What else goes wrong stops the log.
    pub(super) fn mend_ordered(&mut self, now: Instant) -> Result<(), LogError> {
        for at in 0..self.logs.len() {
            let Some(log) = self.logs.get_mut(at) else { continue };
            if log.mend_at.take_if(|at| now >= *at).is_some() {
                log.handle.order_mending(Authority::Policy);
            }
            if let Some(order) = log.handle.mending().take() {
                self.follow(at, &order, now)?;
            }
        }
        Ok(())
    }

    fn follow(
        &mut self,
        at: usize,
        order: &Order<Authority, Accepted>,
        now: Instant,
    ) -> Result<(), LogError> {
        let mut done = Vec::new();
        let outcome = self.mend(at, order.detail, &mut done);
        if !self.journal.dirty() {
            self.journal_synced();
        }
        for mended in &done {
            let line = mended.line();
            tracing::warn!(path = %mended.path.display(), "{line}");
        }
        let Some(log) = self.logs.get_mut(at) else { return Ok(()) };
        let failure = match outcome {
            Ok(Recovered { damage: Some(damage), .. }) => Some(damage.error),
            Ok(recovered) => {
                let state = self.journal.state().stream(log.handle.id());
                log.reopen(recovered, Holes::of(state));
                None
            }
            Err(error @ (LogError::Poisoned | LogError::Io { operation: "sync", .. })) => {
                order.fate.decide(Err(Refusal::Poisoned));
                return Err(error);
            }
            Err(error) => Some(error),
        };
        if let Some(error) = failure {
            tracing::error!(dir = %log.dir.display(), %error, "the damage stays");
            log.handle.stop(&error);
            let lacks_room = matches!(error, LogError::Full) && order.detail == Authority::Policy;
            log.mend_at = lacks_room.then(|| now + AGAIN);
            order.fate.decide(Err(Refusal::Stopped));
        } else {
            order.fate.decide(Ok(price(&done)));
        }
        log.handle.tell_mended();
        Ok(())
    }

    fn mend(
        &mut self,
        at: usize,
        authority: Authority,
        done: &mut Vec<Mended>,
    ) -> Result<Recovered, LogError> {
        let Self { logs, vfs, journal, reserve, salts, .. } = self;
        let Some(log) = logs.get_mut(at) else { return Err(LogError::Poisoned) };
        reserve.lend(|| log.rest())?;
        let damaged: Vec<u64> = log.handle.view().damaged.iter().copied().collect();
        let mut mender = Mender {
            vfs: &*vfs,
            journal,
            reserve,
            salt: &mut || salts.next_u64(),
            epoch: log.epoch,
        };
        let patient = Patient {
            dir: &log.dir,
            id: log.handle.id(),
            quarantine_bytes: quarantine_bytes(log.segment_bytes),
            authority,
            jumping: log.jump_due,
        };
        let mut recovered = mender.mend_all(patient, &damaged, done)?;
        if log.jump_due && recovered.damage.is_none() {
            let (id, range, weak) = (log.handle.id(), recovered.jump()?, log.sync.is_weak());
            let ops = [Op::Jump { log: id, range }, Op::WeaklySynced { log: id, weak }];
            reserve.lend(|| journal.append(&ops))?;
        }
        Ok(recovered)
    }
}

fn price(done: &[Mended]) -> Accepted {
    Accepted {
        places: done.len() as u64,
        lost: done.iter().map(Mended::lost_records).sum(),
        kept: done.iter().map(|mended| mended.kept).sum(),
    }
}
