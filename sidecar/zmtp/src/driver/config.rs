//! What a listener, or a connector, is told about its connections.

use std::sync::Arc;
use std::time::Duration;

use super::budget::MemoryBudget;
use crate::codec::heartbeat::HeartbeatConfig;
use crate::codec::limits::Limits;
use crate::codec::socket_type::SocketType;

/// Settings of one socket, the same for all its connections, whoever made them.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// The type we announce.
    pub socket: SocketType,
    /// The peer types that are served; others get an ERROR. The RFC's table applies besides.
    pub accepts: &'static [SocketType],
    /// Limits on messages.
    pub limits: Limits,
    /// When to PING and when to give up; `None` does neither.
    pub heartbeat: Option<HeartbeatConfig>,
    /// Time for greeting and READY together.
    pub handshake_timeout: Duration,
    /// Connections at one time, those in the handshake included. A connector has one an endpoint.
    pub max_connections: usize,
    /// How long a message may wait for room within the budget before its connection is closed.
    pub memory_patience: Duration,
    /// What all read buffers share.
    pub budget: Arc<MemoryBudget>,
}

impl ListenerConfig {
    /// The defaults: 4 MiB messages, handshake 5 s, 1,024 connections, PING after 10 s, dead
    /// after 30 s, memory patience 5 s.
    pub fn new(
        socket: SocketType,
        accepts: &'static [SocketType],
        budget: Arc<MemoryBudget>,
    ) -> Self {
        Self {
            socket,
            accepts,
            limits: Limits::DEFAULT,
            heartbeat: Some(HeartbeatConfig::default()),
            handshake_timeout: Duration::from_secs(5),
            max_connections: 1024,
            memory_patience: Duration::from_secs(5),
            budget,
        }
    }
}
