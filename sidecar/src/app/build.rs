//! Makes the parts of a queue, stream by stream, from what the file asks for and what the volume
//! holds, and binds their sockets. Nothing runs yet.

mod outlets;

use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lifeboat_api::{
    Dataplane, Delivery, DeliveryKind, Ingress, IngressKind, OnDamage, OnFull, Policy, Retention,
    Sync,
};
use lifeboat_log::state::DeliveryState;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{
    DeliveryId, JournalQueue, ScrubProgress, Stream, StreamOptions, Volume, VolumeId,
};
use lifeboat_zmtp::{Listener, MemoryBudget};
use tokio::task::JoinSet;

use super::bound::{At, Bound, BoundDelivery, BoundIngress, Door};
use super::gate::{admits, is_local};
use super::sockets::Sockets;
use super::{Place, StartError};
use crate::dead_letter::Shelf;
use crate::dedup::{Dedup, Keeper, KeeperParts, Scope};
use crate::delivery::cursor::Cursor;
use crate::durable::fleeting_file_system;
use crate::egress::{self, Outlet};
use crate::ingress::{self, IngressContext, Repeats};
use crate::metrics::Metrics;
use crate::node::{
    DeliveryNode, Held, IngressNode, Lifecycle, Node, Quiesce, RemovedDelivery, SocketNode,
    StreamNode, sync_text,
};
use crate::rates::Rate;
use crate::reload::Side;
use crate::share::OutputMemory;
use crate::stop::{self, Stop};

/// What is at hand while the parts are made.
#[derive(Debug)]
pub(super) struct Build {
    pub(super) place: Place,
    pub(super) state: Arc<Lifecycle>,
    pub(super) metrics: Metrics,
    pub(super) budget: Arc<MemoryBudget>,
    pub(super) output: Arc<OutputMemory>,
    pub(super) volume: VolumeId,
    pub(super) epoch: u64,
    pub(super) journal: Arc<JournalQueue>,
    /// When nothing more is taken in.
    pub(super) intake: Stop,
    pub(super) rest: Stop,
    /// Ids that a stream holds in memory.
    pub(super) ids_in_memory: usize,
    pub(super) keepers: Vec<Keeper>,
    pub(super) ready: Ready,
    pub(super) services: JoinSet<()>,
}

/// Sockets that are ready to be served.
#[derive(Debug, Default)]
pub(super) struct Ready {
    ingresses: Vec<BoundIngress>,
    deliveries: Vec<BoundDelivery>,
}

impl Ready {
    /// Serves them among `sockets`.
    pub(super) fn serve(self, sockets: &mut Sockets) {
        self.ingresses.into_iter().for_each(|ingress| ingress.serve(sockets));
        self.deliveries.into_iter().for_each(|delivery| delivery.serve(sockets));
    }
}

impl Build {
    /// The streams that the file names, in its order, and the others that the volume has.
    pub(super) async fn streams(
        &mut self,
        dataplane: &Dataplane,
        volume: &Volume,
        sizes: &[StreamOptions],
    ) -> Result<[Vec<Arc<StreamNode>>; 2], StartError> {
        let (mut streams, mut removed) = (Vec::new(), Vec::new());
        let parts = dataplane.streams.iter().zip(&volume.streams).zip(sizes);
        for (at, ((stream, opened), sizes)) in parts.enumerate() {
            streams.push(Arc::new(self.stream(at, stream, opened, sizes.max_bytes).await?));
        }
        for opened in &volume.others {
            removed.push(Arc::new(self.removed_stream(opened).await?));
        }
        Ok([streams, removed])
    }

    async fn stream(
        &mut self,
        at: usize,
        stream: &lifeboat_api::Stream,
        opened: &Stream,
        max_bytes: u64,
    ) -> Result<StreamNode, StartError> {
        let (mut ingress, mut deliveries) = (Vec::new(), Vec::new());
        let dedup = self.dedup(stream, opened);
        for (index, socket) in stream.ingress.iter().enumerate() {
            let field = format!("spec.streams[{at}].ingress[{index}]");
            let on_full = stream.retention.on_full;
            ingress.push(self.ingress(&field, opened, socket, on_full, dedup.as_ref()).await?);
        }
        let mut removed = opened.deliveries.clone();
        for (index, delivery) in stream.deliveries.iter().enumerate() {
            let field = format!("spec.streams[{at}].deliveries[{index}]");
            let known = removed.iter().position(|(_, known)| known.name == delivery.name);
            let (id, state) = match known {
                Some(known) => removed.swap_remove(known),
                None => return Err(io::Error::other("a delivery was not journaled").into()),
            };
            let door = self.delivery_door(&field, opened, delivery).await?;
            let outlet = self.outlet(opened, delivery, id, state);
            deliveries.push(self.delivery(opened, delivery, id, outlet, door));
        }
        let now = Instant::now();
        Ok(StreamNode {
            name: stream.name.clone(),
            id: opened.id,
            log: Arc::clone(&opened.log),
            dead_letters: self.dead_letters(opened),
            max_bytes: AtomicU64::new(max_bytes),
            replays: stream.retention.policy == Policy::Limits,
            dedup,
            kept_ids: opened.kept_ids.as_ref().map(|kept| Arc::clone(&kept.log)),
            ingress: Mutex::new(ingress),
            deliveries: Mutex::new(deliveries),
            next_delivery: AtomicU32::new(opened.next_delivery.0),
            removed: Mutex::new(removed.into_iter().map(removed_delivery).collect()),
            change: tokio::sync::Mutex::default(),
            rates: Mutex::new([Rate::new(now), Rate::new(now)]),
        })
    }

    /// A stream that the file does not name: what it holds, and no sockets. What its policy was is
    /// not known, so nothing of it goes.
    async fn removed_stream(&mut self, opened: &Stream) -> Result<StreamNode, StartError> {
        let nothing = lifeboat_api::Stream {
            name: opened.name.clone(),
            ingress: Vec::new(),
            deliveries: Vec::new(),
            retention: Retention {
                policy: Policy::Limits,
                max_age: None,
                max_messages: None,
                max_bytes: None,
                on_full: OnFull::Block,
                on_damage: OnDamage::Stop,
            },
        };
        self.stream(0, &nothing, opened, 0).await
    }

    /// The ids of a stream that knows repeats. Without the copies of ids the stream is stopped.
    fn dedup(&mut self, stream: &lifeboat_api::Stream, opened: &Stream) -> Option<Arc<Dedup>> {
        let (dedup, keeper) = Keeper::new(KeeperParts {
            stream: stream.name.clone(),
            log: Arc::clone(&opened.log),
            kept: opened.kept_ids.clone()?,
            journal: Arc::clone(&self.journal),
            window: stream.dedup_window()?,
            capacity: self.ids_in_memory,
            data: self.place.data.clone(),
            volume: self.volume.0,
            epoch: self.epoch,
        });
        self.keepers.push(keeper);
        Some(dedup)
    }

    pub(super) async fn ingress(
        &mut self,
        field: &str,
        opened: &Stream,
        ingress: &Ingress,
        on_full: OnFull,
        dedup: Option<&Arc<Dedup>>,
    ) -> Result<IngressNode, StartError> {
        let at = At {
            endpoint: ingress.endpoint_in(&self.place.sockets, &opened.name),
            connect: &ingress.connect,
        };
        let door = if admits(self.state.get(), Side::Ingress, is_local(ingress)) {
            Some(self.door(field, &at).await?)
        } else {
            None
        };
        let metrics = Arc::new(self.metrics.ingress(&opened.name, &ingress.name));
        let (socket, protocol) = match ingress.kind {
            IngressKind::Pull => ("PULL", None),
            IngressKind::Receipt => ("ROUTER", Some("Receipt")),
        };
        let labels = [&*opened.name, &*ingress.name];
        let socket = self.socket(labels, socket, protocol, &at, door.as_ref());
        let Some(door) = door else { return Ok(IngressNode { socket, metrics }) };
        let (stopper, stop) = stop::channel();
        let context = Arc::new(IngressContext {
            log: Arc::clone(&opened.log),
            on_full,
            output: Arc::clone(&self.output),
            metrics: Arc::clone(&metrics),
            repeats: repeats(ingress, dedup),
            stop,
        });
        let config = ingress::listener_config(ingress, Arc::clone(&self.budget));
        let observer = self.metrics.observer(&opened.name, &ingress.name);
        let bound = Bound { door, config, observer };
        let name = (Side::Ingress, opened.name.clone(), ingress.name.clone());
        let kind = ingress.kind;
        self.ready.ingresses.push(BoundIngress { name, kind, bound, context, stopper });
        Ok(IngressNode { socket, metrics })
    }

    /// Binds a delivery's socket, or finds where it connects to; `None` where the state forbids it.
    pub(super) async fn delivery_door(
        &self,
        field: &str,
        opened: &Stream,
        delivery: &Delivery,
    ) -> Result<Option<Door>, StartError> {
        if !admits(self.state.get(), Side::Delivery, false) {
            return Ok(None);
        }
        self.door(field, &self.delivery_at(opened, delivery)).await.map(Some)
    }

    fn delivery_at<'a>(&self, opened: &Stream, delivery: &'a Delivery) -> At<'a> {
        let endpoint = delivery.endpoint_in(&self.place.sockets, &opened.name);
        At { endpoint, connect: &delivery.connect }
    }

    /// A delivery's socket in front of its outlet.
    pub(super) fn delivery(
        &mut self,
        opened: &Stream,
        delivery: &Delivery,
        id: DeliveryId,
        outlet: Outlet,
        door: Option<Door>,
    ) -> DeliveryNode {
        let at = self.delivery_at(opened, delivery);
        let (socket, protocol, promise) = match &delivery.kind {
            DeliveryKind::Push(_) if at.is_ipc() => (
                "PUSH",
                None,
                Some("settled once the application's process has read it, and the trail after it"),
            ),
            DeliveryKind::Push(_) => (
                "PUSH",
                None,
                Some("settled once the peer's kernel has it, and the trail after it (tcp)"),
            ),
            DeliveryKind::Credit(_) => ("ROUTER", Some("Credit"), None),
            DeliveryKind::Rep(_) => ("DEALER", None, None),
        };
        let labels = [&*opened.name, &*delivery.name];
        let socket = self.socket(labels, socket, protocol, &at, door.as_ref());
        let node = DeliveryNode { id, socket, outlet, promise };
        let Some(door) = door else { return node };
        let config = egress::listener_config(delivery, Arc::clone(&self.budget));
        let observer = self.metrics.observer(&opened.name, &delivery.name);
        let (stopper, stop) = stop::channel();
        let bound = Bound { door, config, observer };
        let name = (Side::Delivery, opened.name.clone(), delivery.name.clone());
        let ready = BoundDelivery { name, outlet: node.outlet.clone(), bound, stop, stopper };
        self.ready.deliveries.push(ready);
        node
    }

    /// Binds the endpoint, unless the socket connects instead.
    async fn door(&self, field: &str, at: &At<'_>) -> Result<Door, StartError> {
        let At { endpoint, connect } = at;
        let failed = |source| StartError::Bind {
            what: format!("{field}.bind"),
            endpoint: endpoint.to_string(),
            source,
        };
        let parse = |text: String| text.parse().map_err(io::Error::other).map_err(failed);
        if !connect.is_empty() {
            let remotes = connect.iter().map(|remote| parse(remote.to_string()));
            return Ok(Door::Connector(remotes.collect::<Result<_, _>>()?));
        }
        let bound = Listener::bind(&parse(endpoint.to_string())?, &self.place.host).await;
        Ok(Door::Listener(bound.map_err(failed)?))
    }

    fn socket(
        &self,
        [stream, name]: [&str; 2],
        socket: &'static str,
        protocol: Option<&'static str>,
        at: &At<'_>,
        door: Option<&Door>,
    ) -> SocketNode {
        SocketNode {
            name: name.to_owned(),
            socket,
            protocol,
            endpoint: door.map_or_else(|| at.to_string(), Door::place),
            connects: !at.connect.is_empty(),
            open: door.is_some(),
            connections: self.metrics.connections(stream, name),
        }
    }

    fn dead_letters(&self, opened: &Stream) -> Shelf {
        let known = opened.dead_letter_deliveries.first().map(|(_, state)| state.clone());
        Shelf::new(Arc::clone(&opened.dead_letters), Arc::clone(&self.journal), known)
    }

    pub(super) fn node(
        &self,
        &Dataplane { ref name, sync, .. }: &Dataplane,
        disk: Arc<dyn Vfs>,
        volume: &Volume,
        [streams, removed]: [Vec<Arc<StreamNode>>; 2],
        scrub: Arc<ScrubProgress>,
    ) -> Node {
        let fleeting = fleeting_file_system(&self.place.data);
        if let Some(file_system) = fleeting {
            tracing::warn!(
                data = %self.place.data.display(), file_system,
                "the data directory does not outlive a restart of the machine"
            );
        }
        if sync != Sync::Always {
            tracing::warn!(
                sync = %sync_text(sync),
                "receipts are given before records are synced: a power cut loses the newest"
            );
        }
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Node {
            name: name.clone(),
            boot_id: rand::random(),
            volume: volume.id,
            data: self.place.data.clone(),
            disk,
            epoch: volume.epoch,
            started: started.as_secs(),
            durable_volume: fleeting.is_none(),
            sync,
            streams,
            removed: Mutex::new(removed),
            metrics: self.metrics.clone(),
            commits: volume.committer.stats(),
            journal: Arc::clone(&self.journal),
            config: Mutex::default(),
            scrub,
            state: Arc::clone(&self.state),
            quiesce: Quiesce::default(),
            ordinal: self.place.ordinal,
        }
    }
}

/// How `ingress` knows repeats, if it is to.
fn repeats(ingress: &Ingress, dedup: Option<&Arc<Dedup>>) -> Option<Repeats> {
    let dedup = Arc::clone(dedup?);
    Some(Repeats { dedup, scope: Scope::new(&ingress.name), window: ingress.dedup_window? })
}

fn removed_delivery((id, state): (DeliveryId, DeliveryState)) -> RemovedDelivery {
    let DeliveryState { name, cursor, settled, attempts, lost } = state;
    let held = Held::Journaled { cursor: Cursor::new(cursor, settled), attempts, lost };
    RemovedDelivery { id, name, held }
}
