//! Children that do not outlive the process that started them, even when it is killed.
//!
//! The only unsafe code of this crate: what runs between fork and exec is the caller's word.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// Has the kernel kill the command's process when the **thread** that spawns it ends
/// (`PR_SET_PDEATHSIG`, prctl(2)); hence [`super::spawner`].
#[allow(unsafe_code, reason = "pre_exec is unsafe, see SAFETY")]
pub(super) fn end_with_parent(command: &mut Command) {
    let parent = rustix::process::getpid();
    let prepare = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // A parent that died before the line above sends no signal.
        if getppid() == Some(parent) {
            Ok(())
        } else {
            Err(std::io::ErrorKind::NotConnected.into())
        }
    };
    // SAFETY: the closure runs in the child between fork and exec, where only async-signal-safe
    // calls are allowed: it makes the system calls prctl and getppid, without allocation or locks.
    unsafe { command.pre_exec(prepare) };
}
