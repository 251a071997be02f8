//! ZMTP over tokio: endpoints, listeners and the accept loop, connectors, and one connection a task.

pub mod accept;
mod admit;
pub mod budget;
mod buffer;
pub mod config;
pub mod connect;
pub mod connection;
mod drive;
pub mod endpoint;
pub mod handlers;
pub mod listener;
pub mod messages;
pub mod observer;
mod output;
pub mod peer;
mod positions;
mod stream;
mod unread;
