//! Makes the parts of a queue, stream by stream, from what the file asks for and what the volume
//! holds, and binds their sockets. Nothing runs yet.

use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lifeboat_api::{Dataplane, Delivery, DeliveryKind, Ingress, IngressKind, OnFull, Remote, Sync};
use lifeboat_log::state::{Attempt, DeliveryState};
use lifeboat_log::{DeliveryId, JournalQueue, ScrubProgress, Stream, Volume, VolumeId};
use lifeboat_zmtp::{Listener, MemoryBudget};
use tokio::task::JoinSet;

use super::bound::{Bound, BoundDelivery, BoundIngress, Door};
use super::sockets::Sockets;
use super::{Place, StartError};
use crate::dead_letter::Shelf;
use crate::dedup::{Dedup, Keeper, KeeperParts, Scope};
use crate::delivery::Tries;
use crate::delivery::backoff::Policy;
use crate::delivery::cursor::Cursor;
use crate::delivery::lease::{EPOCHS_A_BOOT, Recovered};
use crate::delivery::push::PushCursor;
use crate::durable::fleeting_file_system;
use crate::egress::{self, LeasedDelivery, LeasedParts, Outlet, PushDelivery, PushParts};
use crate::ingress::{self, IngressContext, Repeats};
use crate::metrics::Metrics;
use crate::node::{
    DeliveryNode, Held, IngressNode, Lifecycle, Node, RemovedDelivery, SocketNode, StreamNode,
    sync_text,
};
use crate::rates::Rate;
use crate::reload::Side;
use crate::share::OutputMemory;
use crate::stop::{self, Stop};

/// What is at hand while the parts are made.
#[derive(Debug)]
pub(super) struct Build {
    pub(super) place: Place,
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
    pub(super) async fn stream(
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
        let endpoint = ingress.endpoint_in(&self.place.sockets, &opened.name);
        let door = self.door(field, &endpoint, &ingress.connect).await?;
        let metrics = Arc::new(self.metrics.ingress(&opened.name, &ingress.name));
        let (socket, protocol) = match ingress.kind {
            IngressKind::Pull => ("PULL", None),
            IngressKind::Receipt => ("ROUTER", Some("Receipt")),
        };
        let socket = self.socket(&opened.name, &ingress.name, socket, protocol, &door);
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

    /// Binds a delivery's socket, or finds where it connects to.
    pub(super) async fn delivery_door(
        &self,
        field: &str,
        opened: &Stream,
        delivery: &Delivery,
    ) -> Result<Door, StartError> {
        let endpoint = delivery.endpoint_in(&self.place.sockets, &opened.name);
        self.door(field, &endpoint, &delivery.connect).await
    }

    /// A delivery's socket in front of its outlet.
    pub(super) fn delivery(
        &mut self,
        opened: &Stream,
        delivery: &Delivery,
        id: DeliveryId,
        outlet: Outlet,
        door: Door,
    ) -> DeliveryNode {
        let (socket, protocol, promise) = match &delivery.kind {
            DeliveryKind::Push(_) if door.is_ipc() => (
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
        let socket = self.socket(&opened.name, &delivery.name, socket, protocol, &door);
        let config = egress::listener_config(delivery, Arc::clone(&self.budget));
        let observer = self.metrics.observer(&opened.name, &delivery.name);
        let (stopper, stop) = stop::channel();
        let bound = Bound { door, config, observer };
        let name = (Side::Delivery, opened.name.clone(), delivery.name.clone());
        let ready = BoundDelivery { name, outlet: outlet.clone(), bound, stop, stopper };
        self.ready.deliveries.push(ready);
        DeliveryNode { id, socket, outlet, promise }
    }

    /// A delivery from what the journal knows.
    pub(super) fn outlet(
        &mut self,
        opened: &Stream,
        delivery: &Delivery,
        id: DeliveryId,
        state: DeliveryState,
    ) -> Outlet {
        let lost = state.lost.len();
        self.metrics.delivery(&opened.name, &delivery.name).lost.inc_by(lost);
        match &delivery.kind {
            DeliveryKind::Push(trail) => {
                let policy = egress::trail_policy(*trail);
                let cursor = PushCursor::new(policy, state.cursor, state.settled);
                self.push(opened, delivery, id, cursor)
            }
            DeliveryKind::Credit(credit) => {
                let policy = egress::policy(credit);
                Outlet::Credit(self.leased(opened, delivery, id, policy, state))
            }
            DeliveryKind::Rep(rep) => {
                let policy = egress::rep_policy(rep);
                Outlet::Rep(self.leased(opened, delivery, id, policy, state))
            }
        }
    }

    fn push(
        &mut self,
        opened: &Stream,
        delivery: &Delivery,
        delivery_id: DeliveryId,
        cursor: PushCursor,
    ) -> Outlet {
        let delivery = PushDelivery::new(PushParts {
            stream_id: opened.id,
            delivery_id,
            cursor,
            log: Arc::clone(&opened.log),
            journal: Arc::clone(&self.journal),
            output: Arc::clone(&self.output),
            metrics: self.metrics.delivery(&opened.name, &delivery.name),
        });
        self.services.spawn(Arc::clone(&delivery).run(self.rest.clone()));
        Outlet::Push(delivery)
    }

    fn leased(
        &mut self,
        opened: &Stream,
        delivery: &Delivery,
        delivery_id: DeliveryId,
        policy: Policy,
        state: DeliveryState,
    ) -> Arc<LeasedDelivery> {
        let tried = state.attempts.into_iter().map(|(seq, tried)| {
            let Attempt { attempt, failures, suspect } = tried;
            (seq, Tries { attempt, failures, suspect })
        });
        let (delivery, parking) = LeasedDelivery::new(LeasedParts {
            stream: opened.name.clone(),
            name: delivery.name.clone(),
            stream_id: opened.id,
            delivery_id,
            policy,
            recovered: Recovered {
                epoch: self.epoch * EPOCHS_A_BOOT,
                epoch_start: epoch_start(opened),
                cursor: state.cursor,
                settled: state.settled,
                attempts: tried.collect(),
            },
            log: Arc::clone(&opened.log),
            dead_letters: Arc::clone(&opened.dead_letters),
            journal: Arc::clone(&self.journal),
            output: Arc::clone(&self.output),
            metrics: self.metrics.delivery(&opened.name, &delivery.name),
            quiesced: self.intake.clone(),
        });
        self.services.spawn(Arc::clone(&delivery).run(parking, self.rest.clone()));
        delivery
    }

    /// Binds `endpoint`, unless the socket connects instead.
    async fn door(
        &self,
        field: &str,
        endpoint: &lifeboat_api::Endpoint,
        connect: &[Remote],
    ) -> Result<Door, StartError> {
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
        stream: &str,
        name: &str,
        socket: &'static str,
        protocol: Option<&'static str>,
        door: &Door,
    ) -> SocketNode {
        SocketNode {
            name: name.to_owned(),
            socket,
            protocol,
            endpoint: door.place(),
            connects: matches!(door, Door::Connector(_)),
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
        volume: &Volume,
        streams: Vec<StreamNode>,
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
            epoch: volume.epoch,
            started: started.as_secs(),
            durable_volume: fleeting.is_none(),
            sync,
            streams,
            removed: volume.removed.clone(),
            metrics: self.metrics.clone(),
            commits: volume.committer.stats(),
            journal: Arc::clone(&self.journal),
            config: Mutex::default(),
            scrub,
            state: Lifecycle::default(),
        }
    }
}

/// How `ingress` knows repeats, if it is to.
fn repeats(ingress: &Ingress, dedup: Option<&Arc<Dedup>>) -> Option<Repeats> {
    let dedup = Arc::clone(dedup?);
    Some(Repeats { dedup, scope: Scope::new(&ingress.name), window: ingress.dedup_window? })
}

/// The seq from which on no earlier boot has handed anything out. A log that damage stops ends at the
/// damage for now; once it is mended it holds all that was ever handed out.
fn epoch_start(opened: &Stream) -> u64 {
    if opened.log.is_stopped() { u64::MAX } else { opened.found_end }
}

fn removed_delivery((id, state): (DeliveryId, DeliveryState)) -> RemovedDelivery {
    let DeliveryState { name, cursor, settled, attempts, lost } = state;
    let held = Held::Journaled { cursor: Cursor::new(cursor, settled), attempts, lost };
    RemovedDelivery { id, name, held }
}
