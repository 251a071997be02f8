//! The sockets towards producers: whole messages in, records to the log, receipts back.
//!
//! What is read is handed to the stream's next commit at once; where that has no room, reading
//! stops and the producer's socket feels it.

mod answers;
mod intake;
mod once;
mod pull;
mod receipt;

use std::sync::Arc;
use std::time::Duration;

use lifeboat_api::{Ingress, IngressKind, OnFull};
use lifeboat_log::{CommitQueue, LogHandle};
use lifeboat_zmtp::{Connection, Limits, ListenerConfig, MemoryBudget, Oversize, SocketType};

use crate::dedup::{Dedup, Scope};
use crate::metrics::IngressMetrics;
use crate::share::OutputMemory;
use crate::stop::Stop;

/// What all connections of one ingress share.
#[derive(Debug)]
pub struct IngressContext {
    /// Where its records go.
    pub log: Arc<LogHandle>,
    /// What its producers are told when there is no room, if they can be told.
    pub on_full: OnFull,
    /// What its connections may have on their way.
    pub output: Arc<OutputMemory>,
    /// What it counts.
    pub metrics: Arc<IngressMetrics>,
    /// How repeats are known, where they are.
    pub repeats: Option<Repeats>,
    /// When to end.
    pub stop: Stop,
}

/// How an ingress knows a message that comes again.
#[derive(Debug)]
pub struct Repeats {
    /// The ids of the stream.
    pub dedup: Arc<Dedup>,
    /// Within what an id means the same message.
    pub scope: Scope,
    /// How long it does.
    pub window: Duration,
}

impl IngressContext {
    /// The way into the log for producers that get receipts.
    fn queue_with_receipts(&self) -> &CommitQueue {
        match self.on_full {
            OnFull::Block | OnFull::DropOldest => self.log.queue(),
            OnFull::Reject => self.log.refusing_queue(),
        }
    }
}

/// The listener's settings for an ingress.
pub fn listener_config(ingress: &Ingress, budget: Arc<MemoryBudget>) -> ListenerConfig {
    let (socket, accepts, oversize): (_, &'static [SocketType], _) = match ingress.kind {
        IngressKind::Pull => (SocketType::Pull, &[SocketType::Push], Oversize::Close),
        IngressKind::Receipt => {
            (SocketType::Router, &[SocketType::Req, SocketType::Dealer], Oversize::Skip)
        }
    };
    let limits = Limits::DEFAULT
        .with_max_message_size(ingress.limits.max_message_size)
        .with_oversize(oversize);
    ListenerConfig {
        limits,
        max_connections: ingress.limits.max_connections as usize,
        ..ListenerConfig::new(socket, accepts, budget)
    }
}

/// The life of one producer's connection.
pub async fn serve(kind: IngressKind, connection: Connection, context: Arc<IngressContext>) {
    match kind {
        IngressKind::Pull => pull::serve(connection, &context).await,
        IngressKind::Receipt => receipt::serve(connection, &context).await,
    }
}
