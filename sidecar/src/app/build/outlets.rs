//! Makes what stands behind a delivery's socket, from what the file asks for and what the journal
//! knows.

use std::sync::Arc;

use lifeboat_api::{Delivery, DeliveryKind};
use lifeboat_log::state::{Attempt, DeliveryState};
use lifeboat_log::{DeliveryId, Stream};

use super::Build;
use crate::delivery::Tries;
use crate::delivery::backoff::Policy;
use crate::delivery::lease::{EPOCHS_A_BOOT, Recovered};
use crate::delivery::push::PushCursor;
use crate::egress::{self, LeasedDelivery, LeasedParts, Outlet, PushDelivery, PushParts};

impl Build {
    /// A delivery from what the journal knows.
    pub(in crate::app) fn outlet(
        &mut self,
        opened: &Stream,
        delivery: &Delivery,
        id: DeliveryId,
        state: DeliveryState,
    ) -> Outlet {
        let lost = state.lost.len();
        self.metrics.delivery(&opened.name, &delivery.name).lost.inc_by(lost);
        match &delivery.kind {
            DeliveryKind::Push(trail) => {
                let policy = egress::trail_policy(*trail);
                let cursor = PushCursor::new(policy, state.cursor, state.settled);
                self.push(opened, delivery, id, cursor)
            }
            DeliveryKind::Credit(credit) => {
                let policy = egress::policy(credit);
                Outlet::Credit(self.leased(opened, delivery, id, policy, state))
            }
            DeliveryKind::Rep(rep) => {
                let policy = egress::rep_policy(rep);
                Outlet::Rep(self.leased(opened, delivery, id, policy, state))
            }
        }
    }

    fn push(
        &mut self,
        opened: &Stream,
        delivery: &Delivery,
        delivery_id: DeliveryId,
        cursor: PushCursor,
    ) -> Outlet {
        let delivery = PushDelivery::new(PushParts {
            stream_id: opened.id,
            delivery_id,
            cursor,
            log: Arc::clone(&opened.log),
            journal: Arc::clone(&self.journal),
            output: Arc::clone(&self.output),
            metrics: self.metrics.delivery(&opened.name, &delivery.name),
        });
        self.services.spawn(Arc::clone(&delivery).run(self.rest.clone()));
        Outlet::Push(delivery)
    }

    fn leased(
        &mut self,
        opened: &Stream,
        delivery: &Delivery,
        delivery_id: DeliveryId,
        policy: Policy,
        state: DeliveryState,
    ) -> Arc<LeasedDelivery> {
        let tried = state.attempts.into_iter().map(|(seq, tried)| {
            let Attempt { attempt, failures, suspect } = tried;
            (seq, Tries { attempt, failures, suspect })
        });
        let delivery = LeasedDelivery::new(LeasedParts {
            stream: opened.name.clone(),
            name: delivery.name.clone(),
            stream_id: opened.id,
            delivery_id,
            policy,
            recovered: Recovered {
                epoch: self.epoch * EPOCHS_A_BOOT,
                epoch_start: epoch_start(opened),
                cursor: state.cursor,
                settled: state.settled,
                attempts: tried.collect(),
            },
            log: Arc::clone(&opened.log),
            dead_letters: Arc::clone(&opened.dead_letters),
            journal: Arc::clone(&self.journal),
            output: Arc::clone(&self.output),
            metrics: self.metrics.delivery(&opened.name, &delivery.name),
            quiesced: self.intake.clone(),
        });
        self.services.spawn(Arc::clone(&delivery).run(self.rest.clone()));
        delivery
    }
}

/// The seq from which on no earlier boot has handed anything out. A log that damage stops ends at the
/// damage for now; once it is mended it holds all that was ever handed out.
fn epoch_start(opened: &Stream) -> u64 {
    if opened.log.is_stopped() { u64::MAX } else { opened.found_end }
}
