//! `kubectl pq`: PersistentQueues from the command line.
#![forbid(unsafe_code)]

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use clap::Parser;
use lifeboat_operator::pq;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = pq::Cli::parse();
    match pq::run(cli, &mut stdout(), &mut stderr()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell.
            let _ = writeln!(stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}
