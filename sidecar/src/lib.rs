//! The data plane of Lifeboat.
//!
//! [`wire`] holds the message forms that are Lifeboat's own, [`delivery`] what is known about each
//! record on its way to an application. Both are pure: bytes and time come in as arguments, and
//! what must be written, synced or sent goes out as values.
#![forbid(unsafe_code)]

pub mod delivery;
pub mod wire;
