//! The `lifeboat-operator` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use lifeboat_operator::cli::Cli;

/// Of a wrong command line, as in sysexits.h.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(error) => {
            let code = if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
            // Nobody reads it when the terminal is gone.
            let _ = error.print();
            code
        }
    }
}
