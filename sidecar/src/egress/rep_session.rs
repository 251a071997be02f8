//! One REP application's connection: a request, its reply, the next request.
//!
//! A REP takes one request at a time, so a second one before the reply would wait in its socket
//! where nobody else can have it. One whose reply is late gets nothing: its record goes to another
//! application when the lease ends, and the late reply still settles it.

use std::sync::Arc;
use std::time::Instant;

use lifeboat_zmtp::{CloseReason, Connection, Event};
use tokio::select;

use super::leased::LeasedDelivery;
use super::outgoing::{Outgoing, Unreadable};
use super::verdicts::acknowledge;
use crate::delivery::LeaseKey;
use crate::share::packed;
use crate::stop::Stop;
use crate::wire::rep::{Reply, append_request, parse, parse_cut};

/// Serves the connection until it ends or the order to stop comes.
pub(super) async fn serve(connection: Connection, delivery: Arc<LeasedDelivery>, stop: Stop) {
    let id = connection.peer().id;
    delivery.step(|leases, effects| leases.set_credit(id, 1, effects));
    let outgoing = Outgoing::new(id, Arc::clone(&delivery));
    let mut session = Session { connection, delivery, outgoing, owed: None };
    let reason = session.run(stop).await;
    session.delivery.part(id, reason);
    session.connection.close(reason).await;
}

struct Session {
    connection: Connection,
    delivery: Arc<LeasedDelivery>,
    outgoing: Outgoing,
    /// The request that has not been replied to.
    owed: Option<LeaseKey>,
}

impl Session {
    async fn run(&mut self, mut stop: Stop) -> CloseReason {
        loop {
            let (woken, changed) = (self.delivery.woken(), self.delivery.log.changed());
            if self.request().is_err() {
                return CloseReason::Shutdown;
            }
            let synced = self.outgoing.synced();
            let idle = self.owed.is_none();
            select! {
                biased;
                () = stop.ordered() => return CloseReason::Shutdown,
                synced = synced => {
                    if !self.outgoing.confirm(synced) {
                        return CloseReason::Shutdown;
                    }
                }
                event = self.connection.drive() => match event {
                    Ok(Event::Messages) => {
                        if !self.take_replies() {
                            self.delivery.metrics.refused_verbs.inc();
                            return CloseReason::Handler;
                        }
                    }
                    Ok(Event::Flushed) => {}
                    Err(reason) => return reason,
                },
                () = woken, if idle => {}
                () = changed, if idle => {}
            }
        }
    }

    /// Sends the next request if the application is idle and there is a record for it.
    fn request(&mut self) -> Result<(), Unreadable> {
        if self.owed.is_some() || !self.outgoing.has_one() {
            return Ok(());
        }
        let (mut out, owed) = (Vec::new(), &mut self.owed);
        let records = self.outgoing.append(&mut out, 1, |out, lease, payload| {
            append_request(out, payload);
            *owed = Some(lease);
        })?;
        if records > 0 {
            self.connection.enqueue(packed(out));
        }
        Ok(())
    }

    /// Follows the replies. `false` when there is one that no REP sends.
    fn take_replies(&mut self) -> bool {
        let messages = self.connection.messages();
        let whole = messages.iter().map(parse);
        let replies = whole.chain(messages.too_large().map(|head| Some(parse_cut(head))));
        for reply in replies {
            let (Some(reply), Some(lease)) = (reply, self.owed.take()) else { return false };
            self.delivery.metrics.replies.inc();
            // A seek has voided the leases of before: those records start anew.
            if lease.epoch == self.delivery.epoch() {
                settle(&self.delivery, lease, reply);
            }
        }
        self.connection.consume_all();
        true
    }
}

fn settle(delivery: &LeasedDelivery, lease: LeaseKey, reply: Reply<'_>) {
    let now = Instant::now();
    match reply {
        Reply::Ack => {
            // It was handed out in this boot, so the log holds it.
            acknowledge(delivery, &[lease]);
        }
        Reply::Nack { delay } => {
            delivery.step(|leases, effects| leases.nack(lease, delay, now, effects));
        }
        Reply::Reject { reason } => {
            delivery.step(|leases, effects| leases.reject(lease, reason, effects));
        }
    }
}
