//! What each subcommand does. They print for people on stdout, and say what went wrong on stderr.
#![allow(clippy::print_stdout, clippy::print_stderr)] // this is where the program speaks

pub mod run;
pub mod version;
