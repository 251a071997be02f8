//! The demo's queue: this very program as a child process, started, killed and started again.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::commands::ask;
use crate::commands::failure::Failure;
use crate::status::Status;

/// From its start to its first answer.
const START: Duration = Duration::from_secs(20);
/// From SIGTERM to its end.
const STOP: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);

const FILE: &str = "\
apiVersion: lifeboat.dev/v1alpha1
kind: PersistentQueue
metadata: {name: demo}
spec:
  storage: {size: 4Gi}
  streams:
    - name: work
      ingress: [{name: in, socket: ROUTER, protocol: Receipt}]
      deliveries: [{name: out, socket: ROUTER, protocol: Credit, maxInFlight: 256}]
";

/// A running queue. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Queue {
    child: Child,
    data: PathBuf,
}

impl Queue {
    /// Starts a queue whose file, data and log are below `dir`, and waits until it answers.
    ///
    /// # Errors
    /// When it does not, with what it said.
    pub(super) async fn start(dir: &Path) -> Result<Self, Failure> {
        let mut queue = Self::spawn(dir)
            .map_err(|error| Failure::new(format!("cannot start a queue: {error}")))?;
        let deadline = Instant::now() + START;
        while ask::status(&queue.data).await.is_err() {
            let ended = queue.child.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() >= deadline {
                let said = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
                return Err(Failure::new(format!("the queue did not start: {}", said.trim())));
            }
            sleep(LOOK).await;
        }
        Ok(queue)
    }

    fn spawn(dir: &Path) -> io::Result<Self> {
        let (file, data) = (dir.join("queue.yaml"), dir.join("data"));
        std::fs::write(&file, FILE)?;
        let log = File::create(dir.join("log"))?;
        let child = Command::new(std::env::current_exe()?)
            .args(["run", "--admin", "off"])
            .arg(&file)
            .arg("--data")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self { child, data })
    }

    /// The endpoint of one of its sockets.
    pub(super) async fn endpoint(&self, socket: &str) -> Result<String, Failure> {
        let status = self.status().await?;
        let stream = status.streams.first();
        let ingress = stream.and_then(|stream| stream.ingress.first());
        let delivery = stream.and_then(|stream| stream.deliveries.first());
        [ingress.map(|it| &it.socket), delivery.and_then(|it| it.socket.as_ref())]
            .into_iter()
            .flatten()
            .find(|candidate| candidate.name == socket)
            .map(|found| found.endpoint.clone())
            .ok_or_else(|| Failure::new(format!("the queue has no socket {socket}")))
    }

    /// Where it stands.
    pub(super) async fn status(&self) -> Result<Status, Failure> {
        ask::status(&self.data).await
    }

    /// SIGKILL.
    pub(super) fn kill(mut self) -> Result<(), Failure> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed.map_err(|error| Failure::new(format!("cannot kill the queue: {error}")))?;
        Ok(())
    }

    /// SIGTERM; the queue must end well and in time.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::new(format!("cannot stop the queue: {error}"));
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM)
            .map_err(|error| failed(error.into()))?;
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            match self.child.try_wait().map_err(failed)? {
                Some(exit) if exit.success() => return Ok(()),
                Some(exit) => return Err(Failure::new(format!("the queue ended with {exit}"))),
                None => sleep(LOOK).await,
            }
        }
        Err(Failure::new("the queue did not end in time"))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
