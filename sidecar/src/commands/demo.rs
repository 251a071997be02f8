//! `lifeboat demo`.
use crate::cli::Demo;
use crate::exit::Exit;

/// Runs the demo.
pub fn run(_options: &Demo) -> Exit {
    Exit::Failure
}
