//! The `lifeboat` command.
#![forbid(unsafe_code)]
fn main() {}
