//! The command line of `lifeboat completions`.

use clap::Args;
use clap_complete::Shell;

use super::after_help;
use crate::exit::Exit;

/// Options of `lifeboat completions`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat completions bash > /etc/bash_completion.d/lifeboat
  lifeboat completions zsh > ~/.zfunc/_lifeboat", &[Exit::Success, Exit::BadInput]))]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}
