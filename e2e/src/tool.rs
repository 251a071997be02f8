//! Programs that are run to their end.

use std::ffi::OsStr;
use std::process::{Command, Output};

use crate::error::{Error, Result};

/// Runs a program of the machine; answers what it printed.
///
/// # Errors
/// `Io` where there is none, `Failed` with its complaint.
pub(crate) fn run<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    finish(command)
}

/// Runs a command to its end; answers what it printed.
///
/// # Errors
/// The same.
pub(crate) fn finish(mut command: Command) -> Result<String> {
    let output = command.output();
    let output = output.map_err(Error::io(format!("running {}", shown(&command))))?;
    checked(&command, &output)
}

/// What it printed, unless it failed.
pub(crate) fn checked(command: &Command, output: &Output) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [&output.stderr[..], &output.stdout[..]].concat();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    Err(Error::Failed { command: shown(command), status: output.status, said })
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
