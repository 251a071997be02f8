//! Real sidecars behind the pods of a [`FakeNode`](crate::FakeNode): what a kubelet would do with
//! that one container, as a process on an address of 127.0.0.0/8 of its own.
//!
//! The pod's spec says what runs: its command, variables, volumes, probes and preStop hook. The
//! application's containers are played by the test, which finds their sockets by
//! [`Sidecars::sockets`]. A process that dies is started again, as kubelet does.

mod container;
mod life;
mod probe;
mod volumes;

use std::collections::HashMap;
use std::env;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use kube::{Client, ResourceExt as _};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::control_plane::ControlPlane;
use crate::error::{Error, Result};
use crate::fake_node::{Reporter, Workload};
use crate::loopback;
use container::Container;
use life::Life;
use volumes::Volumes;

/// The program where tests run: `$LIFEBOAT`, or what `cargo build -p lifeboat-sidecar` has put next
/// to them.
///
/// # Errors
/// `MissingTool`.
pub fn lifeboat() -> Result<PathBuf> {
    if let Some(path) = env::var_os("LIFEBOAT") {
        return Ok(path.into());
    }
    let test = env::current_exe().map_err(Error::io("looking for lifeboat"))?;
    let path = test.ancestors().nth(2).unwrap_or(&test).join("lifeboat");
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::MissingProgram { path, made_by: "cargo build -p lifeboat-sidecar".to_owned() })
    }
}

/// Runs the container of one name in each pod. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Sidecars {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    program: PathBuf,
    container: String,
    directory: TempDir,
    logs: PathBuf,
    running: Mutex<HashMap<String, Running>>,
}

/// A pod's sidecar.
struct Running {
    life: Arc<Life>,
    care: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.care.abort();
    }
}

impl Sidecars {
    /// Pods' containers called `container` are run with `program` for their image's `lifeboat`.
    ///
    /// # Errors
    /// `Io`: no directory for their files.
    pub fn new(plane: &ControlPlane, program: &Path, container: &str) -> Result<Self> {
        // Socket paths may have 107 bytes, so this one is short.
        let directory = tempfile::Builder::new()
            .prefix("pods-")
            .tempdir()
            .map_err(Error::io("making a directory for pods"))?;
        let shared = Shared {
            client: plane.client(),
            program: program.to_owned(),
            container: container.to_owned(),
            directory,
            logs: plane.logs(),
            running: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Where the pod's volume of this name is on this machine, for as long as the pod runs.
    pub fn volume(&self, pod: &Pod, name: &str) -> Option<PathBuf> {
        self.life(pod).and_then(|life| life.volumes().path(name).map(Path::to_owned))
    }

    /// The sockets that the application's containers see.
    pub fn sockets(&self, pod: &Pod) -> Option<PathBuf> {
        self.volume(pod, "lifeboat-run")
    }

    /// Kills the pod's sidecar by SIGKILL; it is started again.
    pub fn kill(&self, pod: &Pod) {
        if let Some(life) = self.life(pod) {
            life.kill();
        }
    }

    /// What the pod's sidecars have printed. It is kept with the control plane's logs.
    pub fn log(&self, pod: &Pod) -> String {
        let file = self.shared.logs.join(format!("{}.log", log_name(pod)));
        std::fs::read_to_string(file).unwrap_or_default()
    }

    fn life(&self, pod: &Pod) -> Option<Arc<Life>> {
        self.running().get(&pod.uid()?).map(|running| Arc::clone(&running.life))
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, Running>> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn launch(&self, pod: &Pod) -> Result<Arc<Life>> {
        let shared = &self.shared;
        let address: Ipv4Addr = loopback::address();
        let spec = Container::of(pod, &shared.container)?;
        let volumes = Volumes::mount(&shared.client, shared.directory.path(), pod).await?;
        let command = spec.command(pod, &volumes, &shared.program, address)?;
        let logs = shared.logs.clone();
        let life = Life::new(spec, volumes, command, address, logs, log_name(pod))?;
        Ok(Arc::new(life))
    }
}

impl Workload for Sidecars {
    async fn start(&self, pod: &Pod, reporter: &Reporter) -> Result<()> {
        let life = self.launch(pod).await?;
        let (client, pod, reporter) = (self.shared.client.clone(), pod.clone(), reporter.clone());
        let uid = pod.uid().unwrap_or_default();
        let care = tokio::spawn(Arc::clone(&life).care(client, pod, reporter));
        self.running().insert(uid, Running { life, care });
        Ok(())
    }

    /// The hook, then SIGTERM, as if the application had ended at once.
    async fn stop(&self, pod: &Pod) {
        let running = self.running().remove(&pod.uid().unwrap_or_default());
        if let Some(running) = running {
            running.care.abort();
            running.life.end(pod).await;
        }
    }
}

/// Two pods of one name have two logs.
fn log_name(pod: &Pod) -> String {
    let uid = pod.uid().unwrap_or_default();
    format!("{}-{}", pod.name_any(), uid.get(..8).unwrap_or(&uid))
}
