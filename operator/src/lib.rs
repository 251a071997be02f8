//! The operator: makes the objects of a PersistentQueue and keeps them so.
//!
//! The way of a resource: [`run`] watches and reads everything that belongs to a queue into an
//! [`Observed`](observed::Observed); [`queue`] checks the spec; [`plan`] decides what is to be done
//! now, [`desired`] what the objects are to look like, [`status`] what is told about it, all three
//! without I/O, by what they are given alone; `run` carries it out.
#![forbid(unsafe_code)]
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod check_install;
pub mod cli;
mod commands;
pub mod desired;
pub mod facts;
pub mod labels;
pub mod names;
pub mod observed;
pub mod plan;
pub mod pq;
pub mod queue;
pub mod release;
pub mod run;
pub mod status;
mod telemetry;
