//! What each subcommand does. They print for people on stdout, and say what went wrong on stderr.
#![allow(clippy::print_stdout, clippy::print_stderr)] // this is where the program speaks

pub mod accept_gap;
pub mod check;
pub mod completions;
pub mod demo;
pub mod discard;
pub mod dump;
pub mod peek;
pub mod purge;
pub mod quiesce;
pub mod receive;
pub mod redrive;
pub mod run;
pub mod send;
pub mod status;
pub mod tail;
pub mod version;

mod ask;
mod change;
mod failure;
mod human;
mod input;
mod printer;
mod seen;
mod signals;
mod status_table;
mod table;
mod target;

use std::fmt::Display;

use serde::Serialize;

use self::failure::Failure;
use crate::exit::Exit;

/// Runs a command's work on a runtime of its own.
fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Exit {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, Exit::Failure),
    };
    let outcome = runtime.block_on(work);
    // A thread that reads standard input may never end.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => Exit::Success,
        Err(failure) => fail(&failure, failure.exit()),
    }
}

/// Prints a line for machines.
fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::new(error.to_string()))?;
    println!("{text}");
    Ok(())
}

fn fail(error: &dyn Display, exit: Exit) -> Exit {
    eprintln!("lifeboat: {error}");
    exit
}
