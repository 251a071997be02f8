//! One DEALER application's connection to a Credit delivery: HELLO, then records as its credit
//! allows, and its verdicts.

use std::sync::Arc;

use lifeboat_zmtp::{CloseReason, Connection, Event};
use tokio::select;

use super::leased::LeasedDelivery;
use super::outgoing::{Outgoing, Unreadable};
use super::verdicts::{acknowledge, follow};
use crate::delivery::LeaseKey;
use crate::share::{OutputShare, packed};
use crate::stop::Stop;
use crate::wire::credit::{Acked, Verb, append_hello, append_msg_prefix, parse};
use crate::wire::refusal::{Refusal, append_err};

/// Most records leased at once.
const GRANT_LIMIT: u32 = 1024;

/// Serves the connection until it ends or the order to stop comes.
pub(super) async fn serve(connection: Connection, delivery: Arc<LeasedDelivery>, stop: Stop) {
    let id = connection.peer().id;
    let mut session = Session {
        id,
        share: delivery.output.join(),
        outgoing: Outgoing::new(id, Arc::clone(&delivery)),
        delivery,
        connection,
        acked: Vec::new(),
    };
    let reason = session.run(stop).await;
    session.delivery.part(id, reason);
    session.connection.close(reason).await;
}

struct Session {
    id: u64,
    connection: Connection,
    delivery: Arc<LeasedDelivery>,
    share: OutputShare,
    outgoing: Outgoing,
    /// Tokens that were acknowledged, to be applied together.
    acked: Vec<LeaseKey>,
}

impl Session {
    async fn run(&mut self, mut stop: Stop) -> CloseReason {
        let mut hello = Vec::new();
        append_hello(&mut hello, &self.delivery.origin.stream);
        self.connection.enqueue(hello.into());
        loop {
            let (woken, changed) = (self.delivery.woken(), self.delivery.log.changed());
            let limit = self.share.limit();
            self.connection.set_low_mark(limit / 2);
            if self.fill(limit).is_err() {
                return CloseReason::Shutdown;
            }
            // An application that never reads its errors is not heard until it does.
            let heard = self.connection.queued() < 2 * limit;
            self.connection.set_reading(heard);
            if heard && !self.connection.messages().is_empty() {
                self.take_messages(limit);
                continue;
            }
            let synced = self.outgoing.synced();
            select! {
                biased;
                () = stop.ordered() => return CloseReason::Shutdown,
                synced = synced => {
                    if !self.outgoing.confirm(synced) {
                        return CloseReason::Shutdown;
                    }
                }
                event = self.connection.drive() => match event {
                    Ok(Event::Messages | Event::Flushed) => {}
                    Err(reason) => return reason,
                },
                () = woken => {}
                () = changed => {}
            }
        }
    }

    /// Leases what the credit allows and queues what the connection has room for.
    fn fill(&mut self, limit: usize) -> Result<(), Unreadable> {
        self.outgoing.follow_seek();
        while self.connection.queued() < limit {
            let room = limit - self.connection.queued();
            let max = self.outgoing.records_within(room).clamp(1, GRANT_LIMIT);
            if !self.outgoing.is_ready() && !self.outgoing.lease(max) {
                self.delivery.payloads.rest();
                return Ok(());
            }
            let (mut out, origin) = (Vec::new(), self.delivery.origin);
            let records = self.outgoing.append(&mut out, room, |out, lease, payload| {
                append_msg_prefix(out, origin, lease);
                out.extend_from_slice(payload);
            })?;
            if records == 0 {
                return Ok(());
            }
            self.connection.enqueue(packed(out));
        }
        Ok(())
    }

    /// Follows what the application says, in order, until that makes so many bytes of errors.
    fn take_messages(&mut self, limit: usize) {
        let (mut errors, mut taken) = (Vec::new(), 0);
        let (delivery, id) = (Arc::clone(&self.delivery), self.id);
        let mut acked = std::mem::take(&mut self.acked);
        let messages = self.connection.messages();
        for message in messages.iter() {
            if errors.len() >= limit {
                break;
            }
            taken += 1;
            match parse(message, delivery.origin) {
                Ok(Verb::Ack(tokens)) => gather(tokens, &mut acked, &mut errors, &delivery),
                Ok(verb) => {
                    settle(&delivery, &mut acked, &mut errors);
                    if let Verb::Credit(credit) = verb {
                        delivery.step(|leases, effects| leases.set_credit(id, credit, effects));
                    } else {
                        follow(&delivery, &verb);
                    }
                }
                Err(refusal) => refuse(&mut errors, refusal, &delivery),
            }
        }
        settle(&delivery, &mut acked, &mut errors);
        self.acked = acked;
        self.connection.consume(taken);
        if !errors.is_empty() {
            self.connection.enqueue(packed(errors));
        }
    }
}

fn refuse(errors: &mut Vec<u8>, refusal: Refusal, delivery: &LeasedDelivery) {
    delivery.metrics.refused_verbs.inc();
    append_err(errors, refusal);
}

/// Adds the tokens of one message to `acked`. An error does not say which token it is of, so each kind
/// is told once: else a message could earn ten times its size.
fn gather(
    tokens: Acked<'_>,
    acked: &mut Vec<LeaseKey>,
    errors: &mut Vec<u8>,
    delivery: &LeasedDelivery,
) {
    let mut told = Vec::new();
    for token in tokens.leases() {
        match token {
            Ok(lease) => acked.push(lease),
            Err(refusal) if told.contains(&refusal) => delivery.metrics.refused_verbs.inc(),
            Err(refusal) => {
                told.push(refusal);
                refuse(errors, refusal, delivery);
            }
        }
    }
}

/// Applies the acknowledgements gathered so far, and tells once if some are of no record.
fn settle(delivery: &LeasedDelivery, acked: &mut Vec<LeaseKey>, errors: &mut Vec<u8>) {
    if acknowledge(delivery, acked) > 0 {
        append_err(errors, Refusal::NoSuchRecord);
    }
    acked.clear();
}
