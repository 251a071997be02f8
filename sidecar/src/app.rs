//! Builds a sidecar out of its parts and wires them: the one place that shows all of them.

mod bound;
mod build;
mod gate;
mod operators;
mod reload;
mod sockets;
mod states;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use lifeboat_api::Dataplane;
use lifeboat_log::disk::Disk;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{Finding, LogError, Running, ScrubOptions, Scrubber, Stream, Volume};
use lifeboat_zmtp::MemoryBudget;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::metrics::Metrics;
use crate::node::{Lifecycle, Node};
use crate::reload::Side;
use crate::share::OutputMemory;
use crate::sizing::sizes;
use crate::stop::{self, Stopper};
use build::{Build, Ready};
pub use reload::Applied;
use sockets::Sockets;
use states::{heed, ours};

/// How long the connections of either side may take to end once they were told to.
const PATIENCE: Duration = Duration::from_millis(1500);
/// The same for what ends by itself then.
const SHORT_PATIENCE: Duration = Duration::from_millis(500);

/// Where a queue runs.
#[derive(Debug, Clone)]
pub struct Place {
    /// The data directory; made if it is not there.
    pub data: PathBuf,
    /// The directory of ipc sockets, absolute; made if it is not there.
    pub sockets: PathBuf,
    /// What `*` in an endpoint means.
    pub host: String,
    /// Where the admin HTTP listens.
    pub admin: Option<SocketAddr>,
    /// Which replica of the queue runs here, if the file tells them apart.
    pub ordinal: Option<u32>,
}

/// Why a sidecar did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory could not be opened.
    #[error("data directory {}: {source}", dir.display())]
    Volume {
        /// The data directory.
        dir: PathBuf,
        /// Why.
        source: LogError,
    },
    /// A directory could not be made.
    #[error("directory {}: {source}", dir.display())]
    Directory {
        /// Which.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A socket could not be bound.
    #[error("{what}: cannot bind {endpoint}: {source}")]
    Bind {
        /// The field in the file, or the option, that asks for it.
        what: String,
        /// Where.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
    /// Something else of the system's.
    #[error(transparent)]
    System(#[from] io::Error),
    /// The metrics could not be registered.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// A running queue.
#[derive(Debug)]
pub struct Sidecar {
    /// What it looks like from outside.
    pub node: Arc<Node>,
    /// Where the admin HTTP listens.
    pub admin: Option<SocketAddr>,
    running: Running,
    /// Looks for damage until it is dropped.
    _scrubber: Scrubber,
    /// What runs: the file less what is pending or did not open.
    current: Dataplane,
    /// The size of the volume's file system, as it was seen last.
    total: u64,
    /// The streams as the volume opened them.
    opened: Vec<Stream>,
    build: Build,
    sockets: Sockets,
    /// Says that nothing more is taken in.
    intake: Stopper,
    /// Stops everything but the sockets.
    rest: Stopper,
}

/// Starts everything that `dataplane` names on the real disk; see [`start_on`].
///
/// # Errors
/// Of the volume, or of a socket; then nothing runs.
pub async fn start(dataplane: &Dataplane, place: &Place) -> Result<Sidecar, StartError> {
    start_on(Arc::new(Disk::new()), dataplane, place).await
}

/// Starts everything that `dataplane` names, its volume on `vfs`. Nothing is bound before the volume
/// is open, and no connection is taken before everything is bound.
///
/// # Errors
/// Of the volume, or of a socket; then nothing runs.
pub async fn start_on(
    vfs: Arc<dyn Vfs>,
    dataplane: &Dataplane,
    place: &Place,
) -> Result<Sidecar, StartError> {
    for dir in [&place.data, &place.sockets] {
        std::fs::create_dir_all(dir)
            .map_err(|source| StartError::Directory { dir: dir.clone(), source })?;
    }
    vfs.create_dir(&place.data)?;
    let total = vfs.space(&place.data)?.total;
    let sizes = sizes(dataplane, total, rand::random());
    let volume = Volume::open_all(Arc::clone(&vfs), &place.data, &sizes.volume, &sizes.streams)
        .map_err(|source| StartError::Volume { dir: place.data.clone(), source })?;
    report(&volume.findings);
    let ((intake, intake_stop), (rest, rest_stop)) = (stop::channel(), stop::channel());
    let state = Arc::new(Lifecycle::default());
    state.change(|causes| heed(causes, &ours(dataplane, place.ordinal), volume.id));
    for (opened, options) in volume.streams.iter().zip(&sizes.streams) {
        opened.retention.set(gate::limits(state.get(), options.retention));
    }
    let mut build = Build {
        place: place.clone(),
        state,
        metrics: Metrics::new()?,
        budget: MemoryBudget::new(sizes.connection_bytes),
        output: OutputMemory::new(sizes.output_bytes),
        volume: volume.id,
        epoch: volume.epoch,
        journal: Arc::clone(&volume.journal),
        intake: intake_stop,
        rest: rest_stop,
        ids_in_memory: sizes.ids_in_memory,
        keepers: Vec::new(),
        ready: Ready::default(),
        services: JoinSet::new(),
    };
    let streams = build.streams(dataplane, &volume, &sizes.streams).await?;
    let logs = volume.streams.iter().chain(&volume.others).flat_map(Stream::logs).cloned();
    let scrubber = Scrubber::spawn(logs.collect(), ScrubOptions::default())?;
    let node = build.node(dataplane, vfs, &volume, streams, scrubber.progress());
    let node = Arc::new(node);
    for at in 0..node.streams.len() {
        build.services.spawn(watch::holes(Arc::clone(&node), at, build.rest.clone()));
    }
    let admin = operators::serve(&node, place, &build.rest, &mut build.services).await?;
    let (running, opened, _) = volume.start()?;
    let mut sockets = Sockets::default();
    std::mem::take(&mut build.ready).serve(&mut sockets);
    for keeper in std::mem::take(&mut build.keepers) {
        let stop = build.rest.clone();
        build.services.spawn_blocking(move || keeper.run(stop));
    }
    build.services.spawn(watch::writer(Arc::clone(&node), running.writer.ended()));
    let current = dataplane.clone();
    Ok(Sidecar {
        node,
        admin,
        running,
        _scrubber: scrubber,
        current,
        total,
        opened,
        build,
        sockets,
        intake,
        rest,
    })
}

fn report(findings: &[Finding]) {
    for finding in findings {
        match finding {
            Finding::TornTail { path, bytes } => tracing::info!(
                path = %path.display(), bytes,
                "cut off the unsynced end of the last run: nobody had a receipt for it"
            ),
            Finding::Mended(mended) => {
                let line = mended.line();
                tracing::warn!(path = %mended.path.display(), "{line}");
            }
            Finding::Damage(damage) => tracing::error!(%damage, "damage found"),
        }
    }
}

impl Sidecar {
    /// Completes when the disk has failed: nothing more is stored from then on.
    pub async fn failed(&self) {
        let ended = self.running.writer.ended();
        if ended.wait().await.is_ok() {
            std::future::pending::<()>().await;
        }
    }

    /// Stops: takes nothing more in, syncs, tells producers, closes. What is stored stays.
    ///
    /// Intake ends first, so that what it hands over last is still stored and answered. Receipts
    /// that wait for space in a full stream are refused when the writer has ended.
    ///
    /// # Errors
    /// Of the disk, also when it failed before.
    pub async fn stop(mut self) -> Result<(), LogError> {
        self.node.state.change(|causes| causes.stopping = true);
        self.intake.stop();
        let mut producers = pin!(self.sockets.stop(Side::Ingress));
        let answered = timeout(PATIENCE, &mut producers).await.is_ok();
        self.rest.stop();
        // Whoever does not end in time is cut off: its peer connects again.
        let _ = timeout(PATIENCE, self.sockets.stop(Side::Delivery)).await;
        let stopped = tokio::task::block_in_place(|| self.running.writer.stop());
        if !answered {
            let _ = timeout(SHORT_PATIENCE, producers).await;
        }
        let services = async { while self.build.services.join_next().await.is_some() {} };
        let _ = timeout(SHORT_PATIENCE, services).await;
        stopped
    }
}
