//! The sockets towards applications: records out, verdicts in.

mod credit;
mod credit_session;
mod overtake;
mod payloads;
mod push;

use std::sync::Arc;

use lifeboat_api::{Delivery, DeliveryKind};
use lifeboat_log::{LogHandle, Refusal};
use lifeboat_zmtp::{Connection, Limits, ListenerConfig, MemoryBudget, SocketType};

pub use credit::{CreditDelivery, CreditParts, Parking};
pub use push::{PushDelivery, PushParts};

use crate::delivery::cursor::Cursor;
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
    /// Unsettled records that became too old, since the start.
    pub expired: u64,
    /// Unsettled records that a limit of number or space took, since the start.
    pub dropped: u64,
}

impl Outlet {
    /// Where the delivery stands.
    pub fn standing(&self) -> Standing {
        match self {
            Self::Push(delivery) => delivery.standing(),
            Self::Credit(delivery) => delivery.standing(),
        }
    }

    /// Goes on at `to`, with a new start for every record from there on that the log holds, and
    /// waits until that is synced.
    ///
    /// # Errors
    /// The writer takes nothing more.
    pub async fn seek(&self, log: &LogHandle, to: u64) -> Result<(), Refusal> {
        let fate = match self {
            Self::Push(delivery) => delivery.seek(to, &log.holes()),
            Self::Credit(delivery) => delivery.seek(to, &log.holes()),
        };
        if let Some(fate) = fate {
            fate.wait().await?;
        }
        // A segment that was settled may have gone until that was journaled, and none after it.
        match self {
            Self::Push(delivery) => delivery.skip_holes(&log.holes()),
            Self::Credit(delivery) => delivery.skip_holes(&log.holes()),
        }
        Ok(())
    }

    /// The life of one application's connection.
    pub async fn serve(self, connection: Connection, stop: Stop) {
        match self {
            Self::Push(delivery) => push::serve(connection, delivery, stop).await,
            Self::Credit(delivery) => credit_session::serve(connection, delivery, stop).await,
        }
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
