//! The message forms that are Lifeboat's own: how a producer gets its receipt ([`receipt`]), and
//! how an application takes records with credit and settles them ([`credit`], [`token`]).
//!
//! Encoders append to the caller's buffer, parsers borrow from the message; neither allocates.
//! Nothing here reads a socket, and the bytes that come in have passed the ZMTP codec's checks.

pub mod credit;
mod decimal;
mod frames;
pub mod receipt;
pub mod token;
