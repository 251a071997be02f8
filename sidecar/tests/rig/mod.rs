//! The kill rig: rounds of SIGKILL under load, and the checker that judges what came of it.
//!
//! The way of a run: [`schedule`] says when to kill, [`run`] starts and kills the real process
//! while [`producer`]s, [`consumer`]s and a [`puller`] keep their sockets open through all of it;
//! what they saw becomes a [`history`], and the [`checker`] says what it breaks. A [`stage`] is a
//! proxy that gives the process a fault, so that the checker can be seen to find it.

pub(crate) mod actors;
pub(crate) mod checker;
mod checker_tests;
pub(crate) mod consumer;
pub(crate) mod deliveries;
pub(crate) mod history;
pub(crate) mod message;
pub(crate) mod producer;
pub(crate) mod puller;
pub(crate) mod queue;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod stage;
