//! A process of the harness: its output in a file, and an end with its owner's, whatever ends that.

mod orphan;
mod spawner;

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::{Error, Result};

/// Starts a process that the kernel kills when this one ends.
pub(crate) fn spawn_tied(mut command: Command) -> std::io::Result<Child> {
    orphan::end_with_parent(&mut command);
    spawner::spawn(command)
}

/// Of a log that is shown in an error, in bytes.
const SHOWN: usize = 4 << 10;

/// A running process in a process group of its own. Dropping it kills the group.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it prints is added to `<logs>/<name>.log`.
    ///
    /// # Errors
    /// `Io`.
    pub(crate) fn start(name: &str, mut command: Command, logs: &Path) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(Error::io(format!("opening {}", log.display())))?;
        let errors = output.try_clone().map_err(Error::io("sharing a log file"))?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        let child = spawn_tied(command).map_err(Error::io(format!("starting {name}")))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// An error once it has ended.
    ///
    /// # Errors
    /// `Ended`, with the end of its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait().map_err(Error::io(format!("waiting for {}", self.name)))? {
            Some(status) => Err(self.ended(status)),
            None => Ok(()),
        }
    }

    /// Asks it to end, by SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Kills it; as long as it was not waited for, its id cannot be a stranger's.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            let _already_gone = kill_process_group(group, signal);
        }
    }

    fn ended(&self, status: ExitStatus) -> Error {
        let log = fs::read(&self.log).unwrap_or_default();
        let end = &log[log.len().saturating_sub(SHOWN)..];
        let log = String::from_utf8_lossy(end).into_owned();
        Error::Ended { name: self.name.clone(), status, log }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
            let _status = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn alive(pid: &str) -> bool {
        Path::new("/proc").join(pid.trim()).join("exe").exists()
    }

    #[test]
    fn dropping_it_ends_what_it_started_too() {
        let logs = tempfile::tempdir().unwrap();
        let process = Process::start("pair", shell("sleep 1000 & echo $!; wait"), logs.path());
        let log = logs.path().join("pair.log");
        let deadline = Instant::now() + Duration::from_secs(10);
        while fs::read_to_string(&log).unwrap().is_empty() {
            assert!(Instant::now() < deadline, "the shell says nothing");
            std::thread::sleep(Duration::from_millis(10));
        }
        let grandchild = fs::read_to_string(&log).unwrap();
        assert!(alive(&grandchild));
        drop(process);
        while alive(&grandchild) {
            assert!(Instant::now() < deadline, "{grandchild} still runs");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn one_that_ended_tells_its_last_words() {
        let logs = tempfile::tempdir().unwrap();
        let mut process =
            Process::start("brief", shell("echo cannot go on; exit 3"), logs.path()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let error = loop {
            assert!(Instant::now() < deadline, "it does not end");
            match process.check() {
                Err(error) => break error.to_string(),
                Ok(()) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        assert!(error.contains("exit status: 3") && error.contains("cannot go on"), "{error}");
    }

    #[test]
    fn it_outlives_the_thread_that_asked_for_it() {
        let logs = tempfile::tempdir().unwrap();
        let path = logs.path().to_owned();
        let mut process =
            std::thread::spawn(move || Process::start("long", shell("sleep 1000"), &path).unwrap())
                .join()
                .unwrap();
        // The signal of a parent thread's death comes with the thread's end, which join waits for.
        std::thread::sleep(Duration::from_millis(100));
        process.check().unwrap();
    }
}
