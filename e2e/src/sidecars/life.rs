//! A sidecar's process through its pod's life: started, probed, started again, and ended by kubelet's
//! rules.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use tokio::time::{Instant, sleep};

use super::container::{Arguments, Container};
use super::probe;
use super::volumes::Volumes;
use crate::error::Result;
use crate::fake_node::{PodReport, Reporter};
use crate::process::Process;

/// Between two looks at it. kubelet takes seconds, and a ConfigMap up to a minute; tests are in a
/// hurry.
const TICK: Duration = Duration::from_millis(200);
/// Before it is started again; kubelet begins with 10 s.
const BACKOFF: Duration = Duration::from_secs(1);
/// A pod's grace period that says nothing, in seconds.
const GRACE: i64 = 30;

/// One pod's sidecar.
pub(super) struct Life {
    container: Container,
    volumes: Volumes,
    arguments: Arguments,
    address: Ipv4Addr,
    logs: PathBuf,
    name: String,
    process: Mutex<Option<Process>>,
}

impl Life {
    /// Starts it.
    pub(super) fn new(
        container: Container,
        volumes: Volumes,
        arguments: Arguments,
        address: Ipv4Addr,
        logs: PathBuf,
        name: String,
    ) -> Result<Self> {
        let process = Mutex::new(Some(Process::start(&name, arguments.command(), &logs)?));
        Ok(Self { container, volumes, arguments, address, logs, name, process })
    }

    /// Its pod's volumes.
    pub(super) fn volumes(&self) -> &Volumes {
        &self.volumes
    }

    /// Kills it.
    pub(super) fn kill(&self) {
        if let Some(process) = &*self.process() {
            process.kill();
        }
    }

    /// Keeps it going: probes, restarts, ConfigMaps, and what the pod's status says of them. The pod
    /// is Pending until the startup probe has passed.
    pub(super) async fn care(self: Arc<Self>, client: Client, pod: Pod, reporter: Reporter) {
        let (mut restarts, mut said) = (0, None);
        loop {
            if let Err(error) = self.volumes.refresh(&client, &pod).await {
                eprintln!("{}: {error}", self.name);
            }
            let runs = !self.has_ended();
            if runs && said.is_none() && !self.passes(self.container.startup()).await {
                sleep(TICK).await;
                continue;
            }
            let ready = runs && self.passes(self.container.readiness()).await;
            let news = PodReport::ready(self.address).restarts(restarts);
            let news = if ready { news } else { news.unready(self.container.name()) };
            if said.as_ref() != Some(&news) && (runs || said.is_some()) {
                reporter.say(&news).await;
                said = Some(news);
            }
            if !runs {
                sleep(BACKOFF).await;
                restarts += 1;
                match Process::start(&self.name, self.arguments.command(), &self.logs) {
                    Ok(process) => *self.process() = Some(process),
                    Err(error) => eprintln!("{}: {error}", self.name),
                }
            }
            sleep(TICK).await;
        }
    }

    /// preStop, SIGTERM, and what is left of the grace period.
    pub(super) async fn end(&self, pod: &Pod) {
        let grace = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
        let grace = Duration::from_secs(u64::try_from(grace.unwrap_or(GRACE)).unwrap_or_default());
        let deadline = Instant::now() + grace;
        if let Some(hook) = self.container.pre_stop(&self.arguments, &self.volumes) {
            let name = format!("{}-pre-stop", self.name);
            match Process::start(&name, hook.command(), &self.logs) {
                Ok(mut hook) => {
                    while hook.check().is_ok() && Instant::now() < deadline {
                        sleep(TICK).await;
                    }
                }
                Err(error) => eprintln!("{name}: {error}"),
            }
        }
        if let Some(process) = &*self.process() {
            process.terminate();
        }
        while !self.has_ended() && Instant::now() < deadline {
            sleep(TICK).await;
        }
        *self.process() = None;
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self) -> bool {
        self.process().as_mut().is_none_or(|process| process.check().is_err())
    }

    async fn passes(&self, probe: Option<(u16, String)>) -> bool {
        match probe {
            Some((port, path)) => probe::passes(self.address, port, &path).await,
            None => true,
        }
    }
}
