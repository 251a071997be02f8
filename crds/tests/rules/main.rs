//! What an API server refuses by the CRD alone, and that the validator agrees.
// A failed step is the test's failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agreement;
mod api_server;
mod cases;
mod dice;
mod document;
mod examples;
