//! Builds a sidecar out of its parts and wires them: the one place that shows all of them.

mod operators;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lifeboat_api::{Dataplane, Delivery, DeliveryKind, Ingress, IngressKind};
use lifeboat_log::disk::Disk;
use lifeboat_log::state::DeliveryState;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{DeliveryId, Finding, JournalQueue, LogError, Running, Stream, Volume};
use lifeboat_zmtp::{Handlers, Listener, MemoryBudget};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::delivery::Tries;
use crate::delivery::backoff::{Backoff, Policy};
use crate::delivery::cursor::Cursor;
use crate::delivery::lease::Recovered;
use crate::delivery::push::PushCursor;
use crate::delivery::trail::TrailPolicy;
use crate::durable::fleeting_file_system;
use crate::egress::{self, CreditDelivery, CreditParts, Outlet, PushDelivery, PushParts};
use crate::ingress::{self, IngressContext};
use crate::metrics::Metrics;
use crate::node::{DeliveryNode, IngressNode, Lifecycle, Node, SocketNode, StreamNode};
use crate::rates::Rate;
use crate::share::OutputMemory;
use crate::sizing::{Sizes, sizes};
use crate::status::State;
use crate::stop::{self, Stop, Stopper};

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
    /// Stops what takes records in.
    intake: Stopper,
    /// Stops everything else.
    rest: Stopper,
    producers: JoinSet<Handlers>,
    apps: JoinSet<Handlers>,
    services: JoinSet<()>,
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
    let volume = Volume::open(vfs, &place.data, &sizes.volume, &sizes.streams)
        .map_err(|source| StartError::Volume { dir: place.data.clone(), source })?;
    report(&volume.findings);
    let (intake, intake_stop) = stop::channel();
    let (rest, rest_stop) = stop::channel();
    let mut build = Build {
        dataplane,
        place,
        sizes: &sizes,
        metrics: Metrics::new()?,
        budget: MemoryBudget::new(sizes.connection_bytes),
        output: OutputMemory::new(sizes.output_bytes),
        epoch: volume.epoch,
        journal: Arc::clone(&volume.journal),
        intake: intake_stop,
        rest: rest_stop,
        bound: Vec::new(),
        services: JoinSet::new(),
    };
    let mut streams = Vec::new();
    for (at, stream) in volume.streams.iter().enumerate() {
        streams.push(build.stream(at, stream).await?);
    }
    let node = Arc::new(build.node(&volume, streams));
    let mut services = build.services;
    let admin = operators::serve(&node, place, &build.rest, &mut services).await?;
    let (running, ..) = volume.start()?;
    let (mut producers, mut apps) = (JoinSet::new(), JoinSet::new());
    for bound in build.bound {
        bound.serve(&mut producers, &mut apps);
    }
    let ended = running.writer.ended();
    services.spawn({
        let node = Arc::clone(&node);
        async move {
            if ended.wait().await.is_err() {
                node.state.set(State::Failed);
            }
        }
    });
    Ok(Sidecar { node, admin, running, intake, rest, producers, apps, services })
}

fn report(findings: &[Finding]) {
    for finding in findings {
        match finding {
            Finding::TornTail { path, bytes } => tracing::info!(
                path = %path.display(), bytes,
                "cut off the unsynced end of the last run: nobody had a receipt for it"
            ),
            Finding::Damage(damage) => tracing::error!(%damage, "damage found"),
        }
    }
}

/// A listener and what runs on its connections.
enum Bound {
    Ingress(
        IngressKind,
        Listener,
        lifeboat_zmtp::ListenerConfig,
        Arc<dyn lifeboat_zmtp::Observer>,
        Arc<IngressContext>,
    ),
    Delivery(
        Outlet,
        Listener,
        lifeboat_zmtp::ListenerConfig,
        Arc<dyn lifeboat_zmtp::Observer>,
        Stop,
    ),
}

impl Bound {
    fn serve(self, producers: &mut JoinSet<Handlers>, apps: &mut JoinSet<Handlers>) {
        match self {
            Self::Ingress(kind, listener, config, observer, context) => {
                let mut stop = context.stop.clone();
                let shutdown = async move { stop.ordered().await };
                let handler =
                    move |connection| ingress::serve(kind, connection, Arc::clone(&context));
                producers
                    .spawn(lifeboat_zmtp::serve(listener, config, observer, shutdown, handler));
            }
            Self::Delivery(outlet, listener, config, observer, stop) => {
                let mut ordered = stop.clone();
                let shutdown = async move { ordered.ordered().await };
                let handler = move |connection| outlet.clone().serve(connection, stop.clone());
                apps.spawn(lifeboat_zmtp::serve(listener, config, observer, shutdown, handler));
            }
        }
    }
}

/// What is at hand while the parts are made.
struct Build<'a> {
    dataplane: &'a Dataplane,
    place: &'a Place,
    sizes: &'a Sizes,
    metrics: Metrics,
    budget: Arc<MemoryBudget>,
    output: Arc<OutputMemory>,
    epoch: u64,
    journal: Arc<JournalQueue>,
    intake: Stop,
    rest: Stop,
    bound: Vec<Bound>,
    services: JoinSet<()>,
}

impl Build<'_> {
    async fn stream(&mut self, at: usize, opened: &Stream) -> Result<StreamNode, StartError> {
        let Some(stream) = self.dataplane.streams.get(at) else {
            return Err(io::Error::other("the volume holds another number of streams").into());
        };
        let (mut ingress, mut deliveries) = (Vec::new(), Vec::new());
        for (index, socket) in stream.ingress.iter().enumerate() {
            let field = format!("spec.streams[{at}].ingress[{index}]");
            ingress.push(self.ingress(&field, opened, socket).await?);
        }
        let mut removed = opened.deliveries.clone();
        for (index, delivery) in stream.deliveries.iter().enumerate() {
            let field = format!("spec.streams[{at}].deliveries[{index}]");
            let known = removed.iter().position(|(_, known)| known.name == delivery.name);
            let (id, state) = match known {
                Some(known) => removed.swap_remove(known),
                None => return Err(io::Error::other("a delivery was not journaled").into()),
            };
            deliveries.push(self.delivery(&field, opened, delivery, id, state).await?);
        }
        let now = Instant::now();
        Ok(StreamNode {
            name: stream.name.clone(),
            id: opened.id,
            log: Arc::clone(&opened.log),
            dead_letters: Arc::clone(&opened.dead_letters),
            max_bytes: self.sizes.streams.get(at).map_or(0, |stream| stream.max_bytes),
            ingress,
            deliveries,
            removed: removed
                .into_iter()
                .map(|(_, state)| (state.name, Cursor::new(state.cursor, state.settled)))
                .collect(),
            rates: Mutex::new([Rate::new(now), Rate::new(now)]),
        })
    }

    async fn ingress(
        &mut self,
        field: &str,
        opened: &Stream,
        ingress: &Ingress,
    ) -> Result<IngressNode, StartError> {
        let endpoint = ingress.endpoint_in(&self.place.sockets, &opened.name);
        let listener = self.bind(field, &endpoint).await?;
        let metrics = Arc::new(self.metrics.ingress(&opened.name, &ingress.name));
        let (socket, protocol) = match ingress.kind {
            IngressKind::Pull => ("PULL", None),
            IngressKind::Receipt => ("ROUTER", Some("Receipt")),
        };
        let socket = self.socket(&opened.name, &ingress.name, socket, protocol, &listener);
        let context = Arc::new(IngressContext {
            log: Arc::clone(&opened.log),
            output: Arc::clone(&self.output),
            metrics: Arc::clone(&metrics),
            stop: self.intake.clone(),
        });
        let config = ingress::listener_config(ingress, Arc::clone(&self.budget));
        let observer = self.metrics.observer(&opened.name, &ingress.name);
        self.bound.push(Bound::Ingress(ingress.kind, listener, config, observer, context));
        Ok(IngressNode { socket, metrics })
    }

    async fn delivery(
        &mut self,
        field: &str,
        opened: &Stream,
        delivery: &Delivery,
        id: DeliveryId,
        state: DeliveryState,
    ) -> Result<DeliveryNode, StartError> {
        let endpoint = delivery.endpoint_in(&self.place.sockets, &opened.name);
        let listener = self.bind(field, &endpoint).await?;
        let over_ipc = matches!(listener.local_endpoint(), lifeboat_zmtp::Endpoint::Ipc(_));
        let (socket, protocol, outlet, promise) = match &delivery.kind {
            DeliveryKind::Push(trail) => {
                let policy = TrailPolicy { messages: trail.messages.into(), time: trail.time };
                let cursor = PushCursor::new(policy, state.cursor, state.settled);
                let promise = if over_ipc {
                    "settled once the application's process has read it, and the trail after it"
                } else {
                    "settled once the peer's kernel has it, and the trail after it (tcp)"
                };
                ("PUSH", None, self.push(opened, delivery, id, cursor), Some(promise))
            }
            DeliveryKind::Credit(credit) => {
                let policy = Policy {
                    ack_timeout: credit.ack_timeout,
                    max_in_flight: credit.max_in_flight,
                    max_attempts: credit.max_attempts,
                    backoff: Backoff::new(credit.backoff.clone()),
                };
                let outlet = self.credit(opened, delivery, id, policy, state);
                ("ROUTER", Some("Credit"), outlet, None)
            }
        };
        let socket = self.socket(&opened.name, &delivery.name, socket, protocol, &listener);
        let config = egress::listener_config(delivery, Arc::clone(&self.budget));
        let observer = self.metrics.observer(&opened.name, &delivery.name);
        let stop = self.rest.clone();
        self.bound.push(Bound::Delivery(outlet.clone(), listener, config, observer, stop));
        Ok(DeliveryNode { socket, outlet, promise })
    }

    fn push(
        &self,
        opened: &Stream,
        delivery: &Delivery,
        delivery_id: DeliveryId,
        cursor: PushCursor,
    ) -> Outlet {
        Outlet::Push(PushDelivery::new(PushParts {
            stream_id: opened.id,
            delivery_id,
            cursor,
            log: Arc::clone(&opened.log),
            journal: Arc::clone(&self.journal),
            output: Arc::clone(&self.output),
            metrics: self.metrics.delivery(&opened.name, &delivery.name),
        }))
    }

    fn credit(
        &mut self,
        opened: &Stream,
        delivery: &Delivery,
        delivery_id: DeliveryId,
        policy: Policy,
        state: DeliveryState,
    ) -> Outlet {
        let tried = state
            .attempts
            .into_iter()
            .map(|(seq, tried)| (seq, Tries { attempt: tried.attempt, failures: tried.failures }));
        let (delivery, parking) = CreditDelivery::new(CreditParts {
            stream: opened.name.clone(),
            name: delivery.name.clone(),
            stream_id: opened.id,
            delivery_id,
            policy,
            recovered: Recovered {
                epoch: self.epoch,
                epoch_start: opened.log.published_end(),
                cursor: state.cursor,
                settled: state.settled,
                attempts: tried.collect(),
            },
            log: Arc::clone(&opened.log),
            dead_letters: Arc::clone(&opened.dead_letters),
            journal: Arc::clone(&self.journal),
            output: Arc::clone(&self.output),
            metrics: self.metrics.delivery(&opened.name, &delivery.name),
        });
        self.services.spawn(Arc::clone(&delivery).run(parking, self.rest.clone()));
        Outlet::Credit(delivery)
    }

    async fn bind(
        &self,
        field: &str,
        endpoint: &lifeboat_api::Endpoint,
    ) -> Result<Listener, StartError> {
        let failed = |source| StartError::Bind {
            what: format!("{field}.bind"),
            endpoint: endpoint.to_string(),
            source,
        };
        let parsed = endpoint.to_string().parse().map_err(io::Error::other).map_err(failed)?;
        Listener::bind(&parsed, &self.place.host).await.map_err(failed)
    }

    fn socket(
        &self,
        stream: &str,
        name: &str,
        socket: &'static str,
        protocol: Option<&'static str>,
        listener: &Listener,
    ) -> SocketNode {
        SocketNode {
            name: name.to_owned(),
            socket,
            protocol,
            endpoint: listener.local_endpoint().to_string(),
            connections: self.metrics.connections(stream, name),
        }
    }

    fn node(&self, volume: &Volume, streams: Vec<StreamNode>) -> Node {
        let fleeting = fleeting_file_system(&self.place.data);
        if let Some(file_system) = fleeting {
            tracing::warn!(
                data = %self.place.data.display(), file_system,
                "the data directory does not outlive a restart of the machine"
            );
        }
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Node {
            name: self.dataplane.name.clone(),
            boot_id: rand::random(),
            volume: volume.id,
            epoch: volume.epoch,
            started: started.as_secs(),
            durable_volume: fleeting.is_none(),
            streams,
            removed: volume.removed.clone(),
            metrics: self.metrics.clone(),
            commits: volume.committer.stats(),
            state: Lifecycle::default(),
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
        self.node.state.set(State::Stopping);
        self.intake.stop();
        let mut producers = pin!(all_ended(self.producers));
        let answered = timeout(PATIENCE, &mut producers).await.is_ok();
        self.rest.stop();
        // Whoever does not end in time is cut off: its peer connects again.
        let _ = timeout(PATIENCE, all_ended(self.apps)).await;
        let stopped = tokio::task::block_in_place(|| self.running.writer.stop());
        if !answered {
            let _ = timeout(SHORT_PATIENCE, producers).await;
        }
        let services = async { while self.services.join_next().await.is_some() {} };
        let _ = timeout(SHORT_PATIENCE, services).await;
        stopped
    }
}

/// Completes when these listeners and all their connections have ended.
async fn all_ended(mut listeners: JoinSet<Handlers>) {
    let mut running = Vec::new();
    while let Some(listener) = listeners.join_next().await {
        running.extend(listener.ok());
    }
    for handlers in running {
        handlers.finished().await;
    }
}
