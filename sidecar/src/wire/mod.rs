//! The message forms that are Lifeboat's own: how a producer gets its receipt ([`receipt`]), and
//! how an application takes records and settles them ([`credit`] as a DEALER, [`fetch`] as a REQ,
//! [`rep`] as a REP; [`token`]).
//!
//! Encoders append to the caller's buffer, parsers borrow from the message; neither allocates.
//! Nothing here reads a socket, and the bytes that come in have passed the ZMTP codec's checks.

pub mod credit;
mod decimal;
pub mod envelope;
pub mod fetch;
pub mod receipt;
pub mod refusal;
pub mod rep;
#[cfg(test)]
pub(crate) mod testing;
pub mod token;
