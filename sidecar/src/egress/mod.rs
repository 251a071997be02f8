//! The sockets towards applications: records out, verdicts in.

mod credit;
mod credit_session;
mod hold;
mod payloads;
mod push;

use std::ops::Range;
use std::sync::Arc;

use lifeboat_api::{Delivery, DeliveryKind};
use lifeboat_zmtp::{Connection, Limits, ListenerConfig, MemoryBudget, SocketType};

pub use credit::{CreditDelivery, CreditParts, Parking};
pub use push::{PushDelivery, PushParts};

use crate::delivery::backoff::{Backoff, Policy};
use crate::delivery::cursor::Cursor;
use crate::delivery::trail::TrailPolicy;
use crate::stop::Stop;
use crate::wire::credit::{MAX_BYTES, MAX_PARTS};

/// A delivery of either kind.
#[derive(Debug, Clone)]
pub enum Outlet {
    /// To PULL applications.
    Push(Arc<PushDelivery>),
    /// To applications that acknowledge.
    Credit(Arc<CreditDelivery>),
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
}

impl Outlet {
    /// Where the delivery stands.
    pub fn standing(&self) -> Standing {
        match self {
            Self::Push(delivery) => delivery.standing(),
            Self::Credit(delivery) => delivery.standing(),
        }
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
            _ => return false,
        }
        true
    }

    /// Settles what no application needs to settle, such as what an operator discards. Returns how
    /// many records were not settled before. Durable with the journal's next sync.
    pub fn skip(&self, seqs: Range<u64>) -> u64 {
        match self {
            Self::Push(delivery) => delivery.skip(seqs),
            Self::Credit(delivery) => delivery.skip(seqs),
        }
    }

    /// Keeps back what is not published yet, until the guard is dropped. One guard at a time.
    pub fn hold_new(&self) -> HeldBack {
        match self {
            Self::Push(delivery) => delivery.hold_new(),
            Self::Credit(delivery) => delivery.hold_new(),
        }
        HeldBack(self.clone())
    }

    fn release(&self, without: &[Range<u64>]) {
        match self {
            Self::Push(delivery) => delivery.release(without),
            Self::Credit(delivery) => delivery.release(without),
        }
    }

    /// The life of one application's connection.
    pub async fn serve(self, connection: Connection, stop: Stop) {
        match self {
            Self::Push(delivery) => push::serve(connection, delivery, stop).await,
            Self::Credit(delivery) => credit_session::serve(connection, delivery, stop).await,
        }
    }
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

/// The listener's settings for a delivery.
pub fn listener_config(delivery: &Delivery, budget: Arc<MemoryBudget>) -> ListenerConfig {
    let (socket, accepts): (_, &'static [SocketType]) = match delivery.kind {
        DeliveryKind::Push(_) => (SocketType::Push, &[SocketType::Pull]),
        DeliveryKind::Credit(_) => (SocketType::Router, &[SocketType::Dealer]),
    };
    let limits = Limits::DEFAULT.with_max_parts(MAX_PARTS).with_max_message_size(MAX_BYTES);
    ListenerConfig {
        limits,
        max_connections: delivery.max_connections as usize,
        ..ListenerConfig::new(socket, accepts, budget)
    }
}
