//! The operator against a real control plane: API server, StatefulSet controller and garbage
//! collector are real, nodes and disks are played. One file a story.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod claims;
mod create;
mod deletion;
mod drain;
mod election;
mod fence;
mod given_up;
mod growth;
mod identity;
mod installed;
mod many;
mod node;
mod quiet;
mod refusals;
mod rollout;
mod support;
mod suspend;
mod upkeep;
