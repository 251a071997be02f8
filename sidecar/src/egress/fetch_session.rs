//! One REQ application's connection to a Credit delivery: it asks, and each of its verbs is
//! answered once.
//!
//! A REQ takes an answer to its newest request only, so a verb that comes while a fetch waits has
//! given up on that fetch: it is cancelled, and its answer never comes.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat_zmtp::{CloseReason, Connection, Event};
use tokio::select;
use tokio::time::sleep_until;

use super::leased::LeasedDelivery;
use super::outgoing::{Outgoing, Unreadable};
use super::verdicts::{acknowledge, follow};
use crate::delivery::LeaseKey;
use crate::share::{OutputShare, packed};
use crate::stop::Stop;
use crate::wire::credit::{Verb, append_msg_prefix};
use crate::wire::envelope::{Client, Submission, append_envelope, split};
use crate::wire::fetch::{Request, append_empty, append_ok, parse};
use crate::wire::refusal::{Refusal, append_err};

/// Serves the connection until it ends or the order to stop comes.
pub(super) async fn serve(connection: Connection, delivery: Arc<LeasedDelivery>, stop: Stop) {
    let id = connection.peer().id;
    // It may hold as many as the delivery allows, and gets one whenever it asks.
    delivery.step(|leases, effects| leases.set_credit(id, u32::MAX, effects));
    let mut session = Session {
        share: delivery.output.join(),
        outgoing: Outgoing::new(id, Arc::clone(&delivery)),
        delivery,
        connection,
        first: true,
        waiting: None,
    };
    let reason = session.run(stop).await;
    session.delivery.part(id, reason);
    session.connection.close(reason).await;
}

struct Session {
    connection: Connection,
    delivery: Arc<LeasedDelivery>,
    share: OutputShare,
    outgoing: Outgoing,
    /// Nothing came in yet.
    first: bool,
    waiting: Option<Waiting>,
}

/// A fetch that has not been answered.
struct Waiting {
    envelope: Vec<u8>,
    until: Instant,
}

impl Session {
    async fn run(&mut self, mut stop: Stop) -> CloseReason {
        loop {
            let (woken, changed) = (self.delivery.woken(), self.delivery.log.changed());
            if self.answer_fetch().is_err() {
                return CloseReason::Shutdown;
            }
            // An application that never reads its answers is not heard until it does.
            let limit = self.share.limit();
            self.connection.set_low_mark(limit / 2);
            let heard = self.connection.queued() < 2 * limit;
            self.connection.set_reading(heard);
            if heard && !self.connection.messages().is_empty() {
                self.take_messages(limit);
                continue;
            }
            let synced = self.outgoing.synced();
            let waits = self.waiting.is_some();
            let over = self.over();
            select! {
                biased;
                () = stop.ordered() => {
                    self.answer_empty();
                    return CloseReason::Shutdown;
                }
                synced = synced => {
                    if !self.outgoing.confirm(synced) {
                        return CloseReason::Shutdown;
                    }
                }
                event = self.connection.drive() => match event {
                    Ok(Event::Messages | Event::Flushed) => {}
                    Err(reason) => return reason,
                },
                () = over => self.answer_empty(),
                () = woken, if waits => {}
                () = changed, if waits => {}
            }
        }
    }

    /// Completes when a fetch has waited long enough. What was leased for it and is being synced
    /// still comes.
    fn over(&self) -> impl Future<Output = ()> + use<> {
        let waiting = self.waiting.as_ref().filter(|_| !self.outgoing.is_unconfirmed());
        let until = waiting.map(|waiting| waiting.until);
        async move {
            match until {
                Some(until) => sleep_until(until.into()).await,
                None => pending().await,
            }
        }
    }

    /// Answers the waiting fetch, if there is one and a record for it.
    fn answer_fetch(&mut self) -> Result<(), Unreadable> {
        let Some(waiting) = &self.waiting else { return Ok(()) };
        if !self.outgoing.has_one() {
            return Ok(());
        }
        let (mut out, origin) = (Vec::new(), self.delivery.origin);
        append_envelope(&mut out, &waiting.envelope);
        let one = out.len() + 1;
        let records = self.outgoing.append(&mut out, one, |out, lease, payload| {
            append_msg_prefix(out, origin, lease);
            out.extend_from_slice(payload);
        })?;
        if records > 0 {
            self.waiting = None;
            self.connection.enqueue(packed(out));
        }
        Ok(())
    }

    fn answer_empty(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            let mut out = Vec::new();
            append_envelope(&mut out, &waiting.envelope);
            append_empty(&mut out);
            self.connection.enqueue(packed(out));
        }
    }

    /// Follows what the application says, in order, and answers all but a fetch, until that makes so
    /// many bytes.
    fn take_messages(&mut self, limit: usize) {
        let (mut out, mut taken) = (Vec::new(), 0);
        let messages = self.connection.messages();
        for message in messages.iter() {
            if out.len() >= limit {
                break;
            }
            taken += 1;
            let (envelope, body) = match split(message, Client::Req, self.first) {
                Submission::Probe => {
                    self.first = false;
                    continue;
                }
                Submission::Message { envelope, body } => (envelope, Some(body)),
                Submission::Malformed { envelope } => (envelope, None),
            };
            self.first = false;
            self.waiting = None;
            let envelope = message.get(envelope).unwrap_or_default();
            let body = body.and_then(|body| message.get(body));
            match heed(&self.delivery, body) {
                Ok(Heeded::Fetch(wait)) => {
                    let until = Instant::now() + wait;
                    self.waiting = Some(Waiting { envelope: envelope.to_vec(), until });
                }
                Ok(Heeded::Done) => {
                    append_envelope(&mut out, envelope);
                    append_ok(&mut out);
                }
                Err(refusal) => {
                    self.delivery.metrics.refused_verbs.inc();
                    append_envelope(&mut out, envelope);
                    append_err(&mut out, refusal);
                }
            }
        }
        self.connection.consume(taken);
        if !out.is_empty() {
            self.connection.enqueue(packed(out));
        }
    }
}

/// What is left to do for a verb.
enum Heeded {
    /// Nothing.
    Done,
    /// A record, within this time.
    Fetch(Duration),
}

/// Does what one verb says, up to a record that it asks for.
fn heed(delivery: &LeasedDelivery, body: Option<&[u8]>) -> Result<Heeded, Refusal> {
    match parse(body.ok_or(Refusal::NoVerb)?, delivery.origin)? {
        Request::Fetch { wait } => Ok(Heeded::Fetch(wait)),
        Request::Next { done, wait } => {
            settle(delivery, &[done])?;
            Ok(Heeded::Fetch(wait))
        }
        Request::Verdict(Verb::Ack(tokens)) => {
            // One bad token does not spoil the others.
            let (mut acked, mut refused) = (Vec::new(), Ok(()));
            for token in tokens.leases() {
                match token {
                    Ok(lease) => acked.push(lease),
                    Err(refusal) => refused = refused.and(Err(refusal)),
                }
            }
            refused.and(settle(delivery, &acked))?;
            Ok(Heeded::Done)
        }
        Request::Verdict(verb) => {
            follow(delivery, &verb);
            Ok(Heeded::Done)
        }
    }
}

fn settle(delivery: &LeasedDelivery, acked: &[LeaseKey]) -> Result<(), Refusal> {
    match acknowledge(delivery, acked) {
        0 => Ok(()),
        _ => Err(Refusal::NoSuchRecord),
    }
}
