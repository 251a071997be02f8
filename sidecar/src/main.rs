//! The `lifeboat` command.
#![deny(unsafe_code)]

mod allocator;

use clap::Parser;
use lifeboat_sidecar::cli::Cli;
use lifeboat_sidecar::exit::Exit;

fn main() -> Exit {
    allocator::limit();
    match Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(error) => {
            let exit = if error.use_stderr() { Exit::BadInput } else { Exit::Success };
            // Nobody reads it when the terminal is gone.
            let _ = error.print();
            exit
        }
    }
}
