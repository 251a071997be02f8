//! Makes the parts of a queue, stream by stream, from what the file asks for and what the volume
//! holds, and binds their sockets. Nothing runs yet.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lifeboat_api::{Dataplane, Delivery, DeliveryKind, Ingress, IngressKind, OnFull, Sync};
use lifeboat_log::ranges::RangeSet;
use lifeboat_log::state::{Attempt, DeliveryState};
use lifeboat_log::{DeliveryId, JournalQueue, LogHandle, ScrubProgress, Stream, Volume};
use lifeboat_zmtp::{Listener, MemoryBudget};
use tokio::task::JoinSet;

use super::bound::{Bound, BoundDelivery, BoundIngress};
use super::{Place, StartError};
use crate::delivery::Tries;
use crate::delivery::backoff::{Backoff, Policy};
use crate::delivery::cursor::Cursor;
use crate::delivery::lease::{EPOCHS_A_BOOT, Recovered};
use crate::delivery::push::PushCursor;
use crate::delivery::trail::TrailPolicy;
use crate::durable::fleeting_file_system;
use crate::egress::{self, LeasedDelivery, LeasedParts, Outlet, PushDelivery, PushParts};
use crate::ingress::{self, IngressContext};
use crate::metrics::Metrics;
use crate::node::{DeliveryNode, IngressNode, Lifecycle, Node, SocketNode, StreamNode, sync_text};
use crate::rates::Rate;
use crate::share::OutputMemory;
use crate::sizing::Sizes;
use crate::stop::Stop;

/// What is at hand while the parts are made.
pub(super) struct Build<'a> {
    pub(super) dataplane: &'a Dataplane,
    pub(super) place: &'a Place,
    pub(super) sizes: &'a Sizes,
    pub(super) metrics: Metrics,
    pub(super) budget: Arc<MemoryBudget>,
    pub(super) output: Arc<OutputMemory>,
    pub(super) epoch: u64,
    pub(super) journal: Arc<JournalQueue>,
    pub(super) intake: Stop,
    pub(super) rest: Stop,
    pub(super) ingresses: Vec<BoundIngress>,
    pub(super) deliveries: Vec<BoundDelivery>,
    pub(super) services: JoinSet<()>,
}

impl Build<'_> {
    pub(super) async fn stream(
        &mut self,
        at: usize,
        opened: &Stream,
    ) -> Result<StreamNode, StartError> {
        let Some(stream) = self.dataplane.streams.get(at) else {
            return Err(io::Error::other("the volume holds another number of streams").into());
        };
        let (mut ingress, mut deliveries) = (Vec::new(), Vec::new());
        for (index, socket) in stream.ingress.iter().enumerate() {
            let field = format!("spec.streams[{at}].ingress[{index}]");
            ingress.push(self.ingress(&field, opened, socket, stream.retention.on_full).await?);
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
        let outlets = deliveries.iter().map(|delivery: &DeliveryNode| delivery.outlet.clone());
        let watched = watch_holes(Arc::clone(&opened.log), outlets.collect(), self.rest.clone());
        self.services.spawn(watched);
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
                .map(|(_, state)| (state.name.clone(), settled(state, &opened.log.holes().all())))
                .collect(),
            rates: Mutex::new([Rate::new(now), Rate::new(now)]),
        })
    }

    async fn ingress(
        &mut self,
        field: &str,
        opened: &Stream,
        ingress: &Ingress,
        on_full: OnFull,
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
            on_full,
            output: Arc::clone(&self.output),
            metrics: Arc::clone(&metrics),
            stop: self.intake.clone(),
        });
        let config = ingress::listener_config(ingress, Arc::clone(&self.budget));
        let observer = self.metrics.observer(&opened.name, &ingress.name);
        let bound = Bound { listener, config, observer };
        self.ingresses.push(BoundIngress { kind: ingress.kind, bound, context });
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
        let lost = state.lost.len();
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
                let outlet = Outlet::Credit(self.leased(opened, delivery, id, policy, state));
                ("ROUTER", Some("Credit"), outlet, None)
            }
            DeliveryKind::Rep(rep) => {
                let policy = Policy {
                    ack_timeout: rep.ack_timeout,
                    max_in_flight: 1,
                    max_attempts: rep.max_attempts,
                    backoff: Backoff::new(rep.backoff.clone()),
                };
                let outlet = Outlet::Rep(self.leased(opened, delivery, id, policy, state));
                ("DEALER", None, outlet, None)
            }
        };
        self.metrics.delivery(&opened.name, &delivery.name).lost.inc_by(lost);
        let socket = self.socket(&opened.name, &delivery.name, socket, protocol, &listener);
        let config = egress::listener_config(delivery, Arc::clone(&self.budget));
        let observer = self.metrics.observer(&opened.name, &delivery.name);
        let stop = self.rest.clone();
        let bound = Bound { listener, config, observer };
        self.deliveries.push(BoundDelivery { outlet: outlet.clone(), bound, stop });
        Ok(DeliveryNode { socket, outlet, promise })
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

    pub(super) fn node(
        &self,
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
        if self.dataplane.sync != Sync::Always {
            tracing::warn!(
                sync = %sync_text(self.dataplane.sync),
                "receipts are given before records are synced: a power cut loses the newest"
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
            sync: self.dataplane.sync,
            streams,
            removed: volume.removed.clone(),
            metrics: self.metrics.clone(),
            commits: volume.committer.stats(),
            scrub,
            state: Lifecycle::default(),
        }
    }
}

/// The seq from which on no earlier boot has handed anything out. A log that damage stops ends at the
/// damage for now; once it is mended it holds all that was ever handed out.
fn epoch_start(opened: &Stream) -> u64 {
    if opened.log.is_stopped() { u64::MAX } else { opened.found_end }
}

/// What a delivery that the file does not name any more has settled, what is lost included.
fn settled(state: DeliveryState, holes: &RangeSet) -> Cursor {
    let mut settled = state.settled;
    holes.iter().for_each(|seqs| settled.insert(seqs));
    Cursor::new(state.cursor, settled)
}

/// Has the deliveries get over what damage takes while they run.
async fn watch_holes(log: Arc<LogHandle>, outlets: Vec<Outlet>, mut stop: Stop) {
    loop {
        let mended = log.mended();
        for outlet in &outlets {
            outlet.step_over(&log);
        }
        tokio::select! {
            () = stop.ordered() => return,
            () = mended => {}
        }
    }
}
