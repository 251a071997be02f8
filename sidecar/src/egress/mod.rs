//! The sockets towards applications: records out, verdicts in.

mod credit_session;
mod fetch_session;
mod holes;
mod leased;
mod outgoing;
mod overtake;
mod payloads;
mod push;
mod rep_session;
mod verdicts;

use std::sync::Arc;

use lifeboat_api::{Delivery, DeliveryKind};
use lifeboat_log::{LogHandle, Refusal};
use lifeboat_zmtp::{Connection, Limits, ListenerConfig, MemoryBudget, Oversize, SocketType};

pub use leased::{LeasedDelivery, LeasedParts, Parking};
pub use push::{PushDelivery, PushParts};

use crate::delivery::cursor::Cursor;
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

    /// Gets over what `log` does not hold.
    pub fn step_over(&self, log: &LogHandle) {
        for seqs in log.holes().all().iter() {
            match self {
                Self::Push(delivery) => delivery.step_over(seqs),
                Self::Credit(delivery) | Self::Rep(delivery) => delivery.step_over(seqs),
            }
        }
    }

    /// Goes on at `to`, with a new start for every record from there on that the log holds, and
    /// waits until that is synced.
    ///
    /// # Errors
    /// The writer takes nothing more.
    pub async fn seek(&self, log: &LogHandle, to: u64) -> Result<(), Refusal> {
        // What damage took counts as lost before it is forgotten that it was to be delivered.
        self.step_over(log);
        let holes = log.holes().all();
        let fate = match self {
            Self::Push(delivery) => delivery.seek(to, &holes),
            Self::Credit(delivery) | Self::Rep(delivery) => delivery.seek(to, &holes),
        };
        if let Some(fate) = fate {
            fate.wait().await?;
        }
        // A segment that was settled may have gone until that was journaled, and none after it.
        self.step_over(log);
        Ok(())
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
