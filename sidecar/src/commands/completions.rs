//! `lifeboat completions`.

use clap::CommandFactory;

use crate::cli::{Cli, Completions};
use crate::exit::Exit;

/// Prints a script that completes this command line.
pub fn run(options: &Completions) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "lifeboat", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
    Exit::Success
}
