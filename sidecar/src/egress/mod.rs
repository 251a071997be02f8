//! The sockets towards applications: records out, verdicts in.

mod credit_session;
mod fetch_session;
mod hold;
mod holes;
mod leased;
mod outgoing;
mod overtake;
mod payloads;
mod push;
mod rep_session;
mod verdicts;

use std::ops::Range;
use std::sync::Arc;

use lifeboat_api::{Delivery, DeliveryKind};
use lifeboat_log::ranges::RangeSet;
use lifeboat_log::{LogHandle, Refusal};
use lifeboat_zmtp::{Connection, Limits, ListenerConfig, MemoryBudget, Oversize, SocketType};

pub use leased::{LeasedDelivery, LeasedParts};
pub use push::{PushDelivery, PushParts};

use crate::delivery::backoff::{Backoff, Policy};
use crate::delivery::cursor::Cursor;
use crate::delivery::trail::TrailPolicy;
use crate::stop::Stop;
use crate::wire::credit::{MAX_BYTES, MAX_PARTS};

/// A delivery of any kind.
#[derive(Debug, Clone)]
pub enum Outlet {
    /// To PULL applications.
    Push(Arc<PushDelivery>),
    /// To DEALER and REQ applications, which say what they are done with.
    Credit(Arc<LeasedDelivery>),
    /// To REP applications, whose reply says it.
    Rep(Arc<LeasedDelivery>),
}

/// Where a delivery stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// What is settled.
    pub cursor: Cursor,
    /// Everything from here on was never handed out.
    pub delivered_end: u64,
    /// Records that an application has and has not settled.
    pub in_flight: u64,
    /// Records handed out so far, redeliveries included.
    pub delivered: u64,
    /// Of those, the redeliveries.
    pub redelivered: u64,
    /// Unsettled records that became too old, since the start.
    pub expired: u64,
    /// Unsettled records that a limit of number or space took, since the start.
    pub dropped: u64,
    /// Records that damage took before they were settled, ever.
    pub lost: u64,
}

impl Outlet {
    /// Where the delivery stands.
    pub fn standing(&self) -> Standing {
        match self {
            Self::Push(delivery) => delivery.standing(),
            Self::Credit(delivery) | Self::Rep(delivery) => delivery.standing(),
        }
    }

    /// Gets over what `log` does not hold, or holds and is too old.
    pub fn step_over(&self, log: &LogHandle) {
        for seqs in undeliverable(log).iter() {
            match self {
                Self::Push(delivery) => delivery.step_over(seqs),
                Self::Credit(delivery) | Self::Rep(delivery) => delivery.step_over(seqs),
            }
        }
    }

    /// Goes on at `to`, with a new start for every record from there on that the log holds and that
    /// is not too old, and waits until that is synced.
    ///
    /// # Errors
    /// The writer takes nothing more.
    pub async fn seek(&self, log: &LogHandle, to: u64) -> Result<(), Refusal> {
        // What damage took counts as lost before it is forgotten that it was to be delivered.
        self.step_over(log);
        let without = undeliverable(log);
        let fate = match self {
            Self::Push(delivery) => delivery.seek(to, &without),
            Self::Credit(delivery) | Self::Rep(delivery) => delivery.seek(to, &without),
        };
        if let Some(fate) = fate {
            fate.wait().await?;
        }
        // What was settled may have gone, or become too old, until that was journaled; from then on
        // the delivery hears of it.
        self.step_over(log);
        Ok(())
    }

    /// Other rules from now on; `false`, and nothing changed, when they are of another kind of
    /// delivery.
    pub fn set_rules(&self, kind: &DeliveryKind) -> bool {
        match (self, kind) {
            (Self::Push(delivery), DeliveryKind::Push(trail)) => {
                delivery.set_policy(trail_policy(*trail));
            }
            (Self::Credit(delivery), DeliveryKind::Credit(credit)) => {
                delivery.set_policy(policy(credit));
            }
            (Self::Rep(delivery), DeliveryKind::Rep(rep)) => {
                delivery.set_policy(rep_policy(rep));
            }
            _ => return false,
        }
        true
    }

    /// Settles what no application needs to settle, such as what an operator discards. Returns how
    /// many records were not settled before. Durable with the journal's next sync.
    pub fn skip(&self, seqs: Range<u64>) -> u64 {
        match self {
            Self::Push(delivery) => delivery.skip(seqs),
            Self::Credit(delivery) | Self::Rep(delivery) => delivery.skip(seqs),
        }
    }

    /// Keeps back what is not published yet, until the guard is dropped. One guard at a time.
    pub fn hold_new(&self) -> HeldBack {
        match self {
            Self::Push(delivery) => delivery.hold_new(),
            Self::Credit(delivery) | Self::Rep(delivery) => delivery.hold_new(),
        }
        HeldBack(self.clone())
    }

    fn release(&self, without: &[Range<u64>]) {
        match self {
            Self::Push(delivery) => delivery.release(without),
            Self::Credit(delivery) | Self::Rep(delivery) => delivery.release(without),
        }
    }

    /// The life of one application's connection.
    pub async fn serve(self, connection: Connection, stop: Stop) {
        match self {
            Self::Push(delivery) => push::serve(connection, delivery, stop).await,
            Self::Rep(delivery) => rep_session::serve(connection, delivery, stop).await,
            Self::Credit(delivery) => match connection.peer().socket {
                SocketType::Req => fetch_session::serve(connection, delivery, stop).await,
                _ => credit_session::serve(connection, delivery, stop).await,
            },
        }
    }
}

/// Seqs at which `log` has nothing to deliver: it holds no record, or one that is too old.
pub fn undeliverable(log: &LogHandle) -> RangeSet {
    let (mut seqs, marks) = (log.holes().all(), log.marks());
    let floor = marks.expired_end.max(marks.log_start);
    if floor > 0 {
        seqs.insert(0..floor);
    }
    seqs
}

/// Lets a delivery hand out again what came meanwhile, once it is dropped.
#[derive(Debug)]
pub struct HeldBack(Outlet);

impl HeldBack {
    /// The same, without these records: they are settled before any can be handed out.
    pub fn release_without(self, seqs: &[Range<u64>]) {
        self.0.release(seqs);
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        self.0.release(&[]);
    }
}

/// A PUSH delivery's trail as its file has it.
pub fn trail_policy(trail: lifeboat_api::Trail) -> TrailPolicy {
    TrailPolicy { messages: trail.messages.into(), time: trail.time }
}

/// A Credit delivery's rules as its file has them.
pub fn policy(credit: &lifeboat_api::Credit) -> Policy {
    Policy {
        ack_timeout: credit.ack_timeout,
        max_in_flight: credit.max_in_flight,
        max_attempts: credit.max_attempts,
        backoff: Backoff::new(credit.backoff.clone()),
    }
}

/// The rules of a delivery to REP applications as its file has them: each has one record at a time.
pub fn rep_policy(rep: &lifeboat_api::Rep) -> Policy {
    Policy {
        ack_timeout: rep.ack_timeout,
        max_in_flight: 1,
        max_attempts: rep.max_attempts,
        backoff: Backoff::new(rep.backoff.clone()),
    }
}

/// The listener's settings for a delivery.
pub fn listener_config(delivery: &Delivery, budget: Arc<MemoryBudget>) -> ListenerConfig {
    let verbs = || Limits::DEFAULT.with_max_parts(MAX_PARTS).with_max_message_size(MAX_BYTES);
    let (socket, accepts, limits): (_, &'static [SocketType], _) = match delivery.kind {
        DeliveryKind::Push(_) => (SocketType::Push, &[SocketType::Pull], verbs()),
        DeliveryKind::Credit(_) => {
            (SocketType::Router, &[SocketType::Dealer, SocketType::Req], verbs())
        }
        // A DEALER may talk to a DEALER or ROUTER too. Those take many requests at a time, and would
        // be given one: refused, so that nobody wonders why it is slow.
        DeliveryKind::Rep(_) => {
            // Nobody gets a reply's body, so it may be long.
            let limits = Limits::DEFAULT.with_oversize(Oversize::Skip);
            (SocketType::Dealer, &[SocketType::Rep], limits)
        }
    };
    ListenerConfig {
        limits,
        max_connections: delivery.max_connections as usize,
        ..ListenerConfig::new(socket, accepts, budget)
    }
}
