//! Namespaces of their own for a whole cluster: processes, mounts and network. Whatever ends this
//! process, SIGKILL too, ends everything inside: the kernel kills all processes of a namespace with
//! its first, and with the last of them go mounts, disks, bridges and rules. What is left is a
//! directory and empty cgroups; they are removed afterwards, or by the next one that comes.
//!
//! `e2e/suitable` says whether a machine can have one.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime};
use std::{env, thread};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, WaitOptions, kill_process};

use crate::error::{Error, Result};
use crate::node::machine::{CGROUP, CGROUPS};
use crate::process;

/// Where the cluster's files are; short, for sockets are in it.
const DIRECTORY: &str = "/var/tmp/lifeboat-e2e";
/// Where logs are kept.
const KEEP: &str = "LIFEBOAT_E2E_LOGS";
/// How long the inside may take to end by itself, and others to be gone after a SIGKILL.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// The place of one cluster on this machine, held until it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    lock: File,
}

impl Sandbox {
    /// Takes the place, and removes what one left that was killed.
    ///
    /// # Errors
    /// `Busy`: one is running.
    pub fn take() -> Result<Self> {
        let what = || Error::io(format!("making {DIRECTORY}"));
        fs::create_dir_all(DIRECTORY).map_err(what())?;
        let options =
            || File::options().create(true).truncate(false).read(true).write(true).clone();
        let mut lock = options().open(lock_file()).map_err(what())?;
        let deadline = Instant::now() + Duration::from_secs(5);
        // What a killed one started holds the lock too, and is about to be gone.
        while flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            if Instant::now() >= deadline {
                return Err(Error::Busy(owner().unwrap_or_default()));
            }
            thread::sleep(LOOK);
        }
        lock.set_len(0).and_then(|()| lock.rewind()).map_err(what())?;
        write!(lock, "{}", std::process::id()).map_err(what())?;
        fcntl_setfd(&lock, FdFlags::empty()).map_err(|error| what()(error.into()))?;
        let it = Self { lock };
        Self::clean();
        fs::create_dir_all(run_directory()).map_err(what())?;
        Ok(it)
    }

    /// Starts this very program inside, with these arguments.
    ///
    /// # Errors
    /// `Io`.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Inside> {
        let program = env::current_exe().map_err(Error::io("looking for this program"))?;
        let mut command = Command::new("unshare");
        command
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
            .arg(program)
            .arg("first-process")
            .args(arguments)
            // An interrupt from the keyboard is for the outside, which passes it on.
            .process_group(0)
            .stdin(Stdio::piped());
        let mut child = process::spawn_tied(command).map_err(Error::io("starting unshare"))?;
        let stdin = child.stdin.take();
        Ok(Inside { child, stdin })
    }

    /// Moves the logs to where they are kept; answers where.
    ///
    /// # Errors
    /// `Io`.
    pub fn keep_logs(&self) -> Result<PathBuf> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let parent =
            env::var_os(KEEP).map_or_else(|| env::temp_dir().join("lifeboat-e2e"), PathBuf::from);
        fs::create_dir_all(&parent).map_err(Error::io("keeping logs"))?;
        let kept = parent.join(format!("run-{}", now.as_secs()));
        crate::tool::run("mv", [&run_directory().join("logs"), &kept])?;
        Ok(kept)
    }

    fn clean() {
        // Whatever cannot be removed is in nobody's way: the next start says what is.
        let _nothing_there = fs::remove_dir_all(run_directory());
        let hierarchies = fs::read_dir(CGROUPS).into_iter().flatten().flatten();
        for parent in hierarchies.map(|entry| entry.path()).chain([PathBuf::from(CGROUPS)]) {
            remove_cgroup(&parent.join(CGROUP));
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        Self::clean();
        let _goes_with_the_file = flock(&self.lock, FlockOperation::Unlock);
    }
}

/// What runs inside. Dropping it ends it.
#[derive(Debug)]
pub struct Inside {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Inside {
    /// Whether all of it has ended, and how.
    ///
    /// # Errors
    /// `Io`.
    pub fn ended(&mut self) -> Result<Option<ExitCode>> {
        let status = self.child.try_wait().map_err(Error::io("waiting for the inside"))?;
        Ok(status.map(|status| {
            let code = status.code().or_else(|| Some(128 + status.signal()?));
            ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
        }))
    }

    /// Asks it to end by itself: its standard input does.
    pub fn ask_to_end(&mut self) {
        self.stdin = None;
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.ask_to_end();
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.ended(), Ok(None)) {
            if Instant::now() >= deadline {
                // unshare returns once the kernel has ended all processes.
                if let Some(first) =
                    children(self.child.id()).first().and_then(|it| Pid::from_raw(*it))
                {
                    let _gone = kill_process(first, Signal::KILL);
                }
                let _status = self.child.wait();
                return;
            }
            thread::sleep(LOOK);
        }
    }
}

/// The first process inside: starts this program again with these arguments, waits for whatever
/// becomes its child, as a namespace's first process must, and ends when that program does.
///
/// # Errors
/// `Io`.
pub fn first_process(arguments: &[String]) -> Result<ExitCode> {
    let program = env::current_exe().map_err(Error::io("looking for this program"))?;
    let child = Command::new(program).args(arguments).spawn();
    let child = child.map_err(Error::io("starting this program"))?.id();
    loop {
        let waited = rustix::process::wait(WaitOptions::empty());
        let waited = waited.map_err(|error| Error::io("waiting for children")(error.into()))?;
        if let Some((pid, status)) = waited
            && u32::try_from(pid.as_raw_nonzero().get()).is_ok_and(|pid| pid == child)
        {
            let code = status.exit_status().and_then(|code| u8::try_from(code).ok());
            return Ok(ExitCode::from(code.unwrap_or(1)));
        }
    }
}

/// Where the cluster's files are, inside and outside.
pub fn run_directory() -> PathBuf {
    Path::new(DIRECTORY).join("run")
}

/// Says that the cluster which the process `holder` holds stands, and how long that `took`.
///
/// # Errors
/// `Io`.
pub fn say_ready(holder: u32, took: Duration) -> Result<()> {
    let said = format!("{holder} {took:.0?}");
    fs::write(ready_file(), said).map_err(Error::io("saying that it is ready"))
}

/// How long the cluster which the process `holder` holds took to stand; `None`: it does not yet.
pub fn ready_after(holder: u32) -> Option<String> {
    said_by(holder, &fs::read_to_string(ready_file()).ok()?).map(str::to_owned)
}

/// What somebody else's cluster has said, which may be gone by now, does not count.
fn said_by(holder: u32, said: &str) -> Option<&str> {
    said.strip_prefix(&holder.to_string())?.strip_prefix(' ')
}

fn ready_file() -> PathBuf {
    run_directory().join("ready")
}

/// Ends the one that runs, if any; answers whether there was one.
///
/// # Errors
/// `Busy` where it does not end.
pub fn end_other() -> Result<bool> {
    let Some(owner) = owner() else { return Ok(false) };
    if let Some(pid) = Pid::from_raw(owner) {
        let _gone = kill_process(pid, Signal::TERM);
    }
    let deadline = Instant::now() + PATIENCE + PATIENCE;
    while Path::new("/proc").join(owner.to_string()).exists() {
        if Instant::now() >= deadline {
            return Err(Error::Busy(owner));
        }
        thread::sleep(LOOK);
    }
    Ok(true)
}

/// A command that runs inside the cluster that stands.
///
/// # Errors
/// `Io`: there is none.
pub fn enter(program: &OsStr) -> Result<Command> {
    let none = || Error::io("looking for the cluster")(std::io::ErrorKind::NotFound.into());
    let unshare = children(owner().and_then(|pid| u32::try_from(pid).ok()).ok_or_else(none)?);
    let unshare = unshare.first().and_then(|pid| u32::try_from(*pid).ok()).ok_or_else(none)?;
    let first = *children(unshare).first().ok_or_else(none)?;
    let mut command = Command::new("nsenter");
    command.args(["--net", "--mount", "--pid", "--wd=.", "--target", &first.to_string(), "--"]);
    command.arg(program);
    Ok(command)
}

/// The process that holds the lock.
fn owner() -> Option<i32> {
    let mut text = String::new();
    let mut lock = File::open(lock_file()).ok()?;
    lock.read_to_string(&mut text).ok()?;
    let free = flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
    let pid = text.trim().parse().ok()?;
    (!free && Path::new("/proc").join(text.trim()).exists()).then_some(pid)
}

/// Of all threads of a process: each has those that it started.
fn children(pid: u32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists =
        threads.map(|it| fs::read_to_string(it.path().join("children")).unwrap_or_default());
    let all = lists.map(|list| list.split_whitespace().filter_map(|it| it.parse().ok()).collect());
    all.collect::<Vec<Vec<_>>>().concat()
}

fn lock_file() -> PathBuf {
    Path::new(DIRECTORY).join("lock")
}

/// Only empty ones go, from the innermost.
fn remove_cgroup(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroup(&entry.path());
        }
    }
    let _not_there = fs::remove_dir(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_cluster_that_is_waited_for_says_that_it_is_ready() {
        assert_eq!(said_by(12, "12 31s"), Some("31s"));
        for said in ["", "31s", "123 31s", "7 31s"] {
            assert_eq!(said_by(12, said), None, "{said}");
        }
    }
}
