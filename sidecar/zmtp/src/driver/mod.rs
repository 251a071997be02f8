//! ZMTP over tokio: endpoints, listeners, the accept loop, and one connection a task.

pub mod accept;
mod admit;
pub mod budget;
mod buffer;
pub mod config;
pub mod connection;
mod drive;
pub mod endpoint;
pub mod listener;
pub mod messages;
mod output;
pub mod peer;
mod positions;
mod stream;
mod unread;
