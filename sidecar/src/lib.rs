//! The data plane of Lifeboat.
//!
//! The path of a message: [`ingress`] hands whole messages to the log's next group commit and
//! answers producers; [`egress`] hands records to applications and hears their verdicts.
//! [`wire`] holds the message forms that are Lifeboat's own, [`delivery`] what is known about each
//! record on its way to an application. Both are pure: bytes and time come in as arguments, and
//! what must be written, synced or sent goes out as values. [`app`] puts everything together.
//!
//! [`client`] is the other end of the sockets, for the commands that use a queue.
#![forbid(unsafe_code)]
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod admin;
pub mod app;
pub mod cli;
pub mod client;
pub mod commands;
pub mod control;
pub mod dead_letter;
pub mod dedup;
pub mod delivery;
pub mod depth;
mod descriptors;
pub mod durable;
pub mod egress;
pub mod exit;
mod index;
pub mod ingress;
pub mod metrics;
pub mod node;
pub mod rates;
pub mod readable;
pub mod records;
pub mod reload;
mod rfc3339;
pub mod share;
pub mod sizing;
pub mod status;
pub mod stop;
pub mod telemetry;
pub mod verbs;
pub mod wire;
