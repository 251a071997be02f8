//! Applies a changed file to the running queue: sockets, rules and space. The difference comes from
//! [`crate::reload`]; whoever calls says what became of it.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use lifeboat_api::{Dataplane, Delivery, OnFull};
use lifeboat_log::state::DeliveryState;
use lifeboat_log::{DeliveryId, Op, Urgency};
use tokio::sync::MutexGuard;
use tokio::task::spawn_blocking;

use super::sockets::SocketName;
use super::{PATIENCE, Sidecar, gate};
use crate::depth::owed;
use crate::node::{DeliveryNode, Held, RemovedDelivery, StreamNode};
use crate::reload::{Change, Delta, Side, after, delta};
use crate::sizing::{place, sizes};

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// How many changes were made.
    pub changes: usize,
    /// Whether the file waits for an order to end: none of its changes were made but those of this
    /// replica's state.
    pub withheld: bool,
    /// Fields that only a restart applies.
    pub pending: Vec<String>,
    /// What could not be done now, and why: sockets that do not open, a stream that an order works
    /// on. To be tried again with the same file.
    pub problems: Vec<String>,
}

impl Sidecar {
    /// Makes the queue run by `new`, as far as that goes without a restart.
    pub async fn apply(&mut self, new: &Dataplane) -> Applied {
        let Delta { changes, pending } = delta(&self.current, new);
        let mut applied = Applied { pending, ..Applied::default() };
        applied.changes += usize::from(self.heed(new).await);
        let node = Arc::clone(&self.node);
        match hold(&node.streams, &changes) {
            Ok(held) => self.make(changes, new, held, &mut applied).await,
            Err(problems) => (applied.withheld, applied.problems) = (true, problems),
        }
        self.grow();
        // What the state has kept closed until now.
        let (opened, problems) = self.unshut().await;
        applied.changes += opened;
        applied.problems.extend(problems);
        self.divide();
        applied
    }

    /// Makes `changes`, which lead to `new`; `held` are the streams that lose deliveries, from which
    /// orders are kept off until all is done.
    async fn make(
        &mut self,
        changes: Vec<Change>,
        new: &Dataplane,
        held: Vec<Reserved<'_>>,
        applied: &mut Applied,
    ) {
        let mut failed = Vec::new();
        for change in changes {
            let outcome = match change {
                Change::Close(side, stream, socket) => {
                    self.close(&(side, stream, socket)).await;
                    Ok(())
                }
                Change::Rules(stream, name) => {
                    self.set_rules(new, &stream, &name);
                    Ok(())
                }
                // Later, once the streams are what they will be.
                Change::Space => Ok(()),
                Change::Open(side, stream, socket) => {
                    let is_held = held.iter().any(|held| held.stream == stream);
                    let name = (side, stream, socket);
                    self.open(new, &name, is_held).await.inspect_err(|_| failed.push(name))
                }
            };
            match outcome {
                Ok(()) => applied.changes += 1,
                Err(problem) => applied.problems.push(problem),
            }
        }
        self.current = after(&self.current, new, &failed);
    }

    /// Looks whether the file system has grown into what the file says, which it does after the
    /// file as a rule: then the streams get what there is more. Says whether it has.
    pub fn grow(&mut self) -> bool {
        if self.current.storage_size <= self.total {
            return false;
        }
        // A disk that does not answer is told elsewhere.
        let Ok(space) = self.node.disk.space(&self.node.data) else { return false };
        let has_grown = space.total > self.total;
        if has_grown {
            tracing::info!(before = self.total, now = space.total, "the file system has grown");
            self.total = space.total;
            self.divide();
        }
        has_grown
    }

    /// Gives each stream its share of the volume, and its limits.
    fn divide(&self) {
        // The seed is for new volumes.
        let sizes = sizes(&self.current, self.total, 0);
        let state = self.node.state.get();
        for options in &sizes.streams {
            let opened = self.opened.iter().find(|opened| opened.name == options.name);
            let node = self.node.streams.iter().find(|stream| stream.name == options.name);
            if let (Some(opened), Some(node)) = (opened, node) {
                opened.space.set(options.max_bytes);
                opened.retention.set(gate::limits(state, options.retention));
                node.max_bytes.store(options.max_bytes, Ordering::Relaxed);
            }
        }
    }

    fn set_rules(&self, new: &Dataplane, stream: &str, name: &str) {
        let node = self.node.streams.iter().find(|node| node.name == stream);
        let (_, wanted) = wanted(new, Side::Delivery, stream, name);
        let running = node.map(|stream| stream.deliveries()).unwrap_or_default();
        let running = running.iter().find(|delivery| delivery.socket.name == name);
        if let (Some(Wanted::Delivery(delivery)), Some(running)) = (wanted, running) {
            running.outlet.set_rules(&delivery.kind);
        }
    }

    /// Stops a socket; [`hold`] comes before. A delivery keeps what it holds.
    async fn close(&mut self, name: &SocketName) {
        self.sockets.close(std::slice::from_ref(name), PATIENCE).await;
        let (side, stream, socket) = name;
        let Some(stream) = self.node.streams.iter().find(|node| node.name == *stream) else {
            return;
        };
        match side {
            Side::Ingress => {
                let mut ingress = lock(&stream.ingress);
                ingress.retain(|ingress| ingress.socket.name != *socket);
            }
            Side::Delivery => {
                let mut deliveries = lock(&stream.deliveries);
                let Some(at) = deliveries.iter().position(|it| it.socket.name == *socket) else {
                    return;
                };
                let DeliveryNode { id, outlet, socket, .. } = deliveries.remove(at);
                let held = Held::Closed(outlet);
                stream.removed().push(RemovedDelivery { id, name: socket.name, held });
            }
        }
    }

    /// Opens a socket of `new`, or only makes it known where the state forbids it. Orders are kept off
    /// its stream, unless the caller does that: `is_held`.
    pub(super) async fn open(
        &mut self,
        new: &Dataplane,
        name: &SocketName,
        is_held: bool,
    ) -> Result<(), String> {
        let (side, stream, socket) = name;
        let (field, wanted) = wanted(new, *side, stream, socket);
        let at = self.opened.iter().position(|opened| opened.name == *stream);
        let node = self.node.streams.iter().find(|node| node.name == *stream).cloned();
        let (Some(wanted), Some(at), Some(stream)) = (wanted, at, node) else {
            return Err(format!("{field}: its stream does not run"));
        };
        match wanted {
            Wanted::Ingress(ingress) => {
                let opened = self.opened.get(at).ok_or_else(|| field.clone())?;
                let (on_full, dedup) = (self.on_full(&stream.name), stream.dedup.as_ref());
                let ingress = self.build.ingress(&field, opened, ingress, on_full, dedup).await;
                let ingress = ingress.map_err(|error| error.to_string())?;
                let mut all = lock(&stream.ingress);
                match all.iter_mut().find(|it| it.socket.name == *socket) {
                    Some(closed) => *closed = ingress,
                    None => all.push(ingress),
                }
            }
            Wanted::Delivery(delivery) => {
                let one_at_a_time = || stream.change.try_lock().map_err(|_| busy(&stream));
                let _guard = if is_held { None } else { Some(one_at_a_time()?) };
                self.open_delivery(&field, at, delivery).await?;
            }
        }
        std::mem::take(&mut self.build.ready).serve(&mut self.sockets);
        Ok(())
    }

    /// What a stream does that is full: what it did at the start, for only a restart changes that.
    fn on_full(&self, stream: &str) -> OnFull {
        let running = self.current.streams.iter().find(|running| running.name == stream);
        running.map_or(OnFull::Block, |running| running.retention.on_full)
    }

    async fn open_delivery(
        &mut self,
        field: &str,
        at: usize,
        delivery: &Delivery,
    ) -> Result<(), String> {
        let opened = self.opened.get(at).ok_or_else(|| field.to_owned())?;
        let stream = self.node.streams.iter().find(|node| node.name == opened.name);
        let stream = stream.ok_or_else(|| field.to_owned())?;
        let closed = stream.deliveries().into_iter().find(|it| it.socket.name == delivery.name);
        if let Some(DeliveryNode { id, outlet, .. }) = closed {
            let door = self.build.delivery_door(field, opened, delivery).await;
            let door = door.map_err(|error| error.to_string())?;
            let node = self.build.delivery(opened, delivery, id, outlet, door);
            let mut all = lock(&stream.deliveries);
            all.iter_mut().filter(|it| it.id == id).for_each(|it| *it = node.clone());
            return Ok(());
        }
        let known = stream.removed().iter().find(|it| it.name == delivery.name).cloned();
        if let Some(Held::Closed(outlet)) = known.as_ref().map(|known| &known.held)
            && !outlet.set_rules(&delivery.kind)
        {
            return Err(format!("{field}.socket: it was of another kind; applied by a restart"));
        }
        let door = self.build.delivery_door(field, opened, delivery).await;
        let door = door.map_err(|error| error.to_string())?;
        let (id, outlet) = match known {
            Some(RemovedDelivery { id, held: Held::Closed(outlet), .. }) => (id, outlet),
            Some(RemovedDelivery {
                id,
                name,
                held: Held::Journaled { cursor, attempts, lost },
            }) => {
                let settled = cursor.settled_above().clone();
                let cursor = cursor.position();
                let state = DeliveryState { name, cursor, settled, attempts, lost };
                (id, self.build.outlet(opened, delivery, id, state))
            }
            None => {
                let (id, state) = self.create(stream, delivery).await?;
                let outlet = self.build.outlet(opened, delivery, id, state);
                if delivery.from.is_none() {
                    for seqs in settled_by_all(stream) {
                        outlet.skip(seqs);
                    }
                }
                (id, outlet)
            }
        };
        stream.removed().retain(|removed| removed.name != delivery.name);
        let node = self.build.delivery(opened, delivery, id, outlet.clone(), door);
        lock(&stream.deliveries).push(node);
        // From here on it is looked after with the others.
        outlet.step_over(&stream.log);
        Ok(())
    }

    /// Makes a delivery known, from where it is to start on, or else from the lowest cursor of the
    /// others. When this returns, nothing that it still needs is deleted any more but by a limit.
    async fn create(
        &self,
        stream: &StreamNode,
        delivery: &Delivery,
    ) -> Result<(DeliveryId, DeliveryState), String> {
        let cursor = match delivery.from.map(place) {
            Some(place) => {
                let log = Arc::clone(&stream.log);
                let found = spawn_blocking(move || place.seq_in(&log)).await;
                let found = found.map_err(|error| error.to_string())?;
                found.map_err(|error| format!("{}: {error}", delivery.name))?
            }
            None => stream.lowest_cursor(),
        };
        let id = DeliveryId(stream.next_delivery.fetch_add(1, Ordering::Relaxed));
        let name = delivery.name.clone();
        let created =
            Op::DeliveryCreated { stream: stream.id, delivery: id, name: name.clone(), cursor };
        let fate = self.node.journal.submit([created], Urgency::Now);
        fate.wait().await.map_err(|_| format!("{name}: the journal takes nothing more"))?;
        Ok((id, DeliveryState { name, cursor, ..DeliveryState::default() }))
    }
}

/// A stream from which orders are kept off.
struct Reserved<'a> {
    stream: &'a str,
    _guard: MutexGuard<'a, ()>,
}

/// Keeps orders off the streams that `changes` takes deliveries from.
///
/// # Errors
/// Which streams an order works on. Not waited for: that may be long, and an order to stop or to
/// quiesce must be heard meanwhile.
fn hold<'a>(
    streams: &'a [Arc<StreamNode>],
    changes: &[Change],
) -> Result<Vec<Reserved<'a>>, Vec<String>> {
    let loses = |node: &&Arc<StreamNode>| {
        changes.iter().any(|change| {
            matches!(change, Change::Close(Side::Delivery, stream, _) if *stream == node.name)
        })
    };
    let (mut held, mut problems) = (Vec::new(), Vec::new());
    for node in streams.iter().filter(loses) {
        match node.change.try_lock() {
            Ok(guard) => held.push(Reserved { stream: &node.name, _guard: guard }),
            Err(_) => problems.push(busy(node)),
        }
    }
    if problems.is_empty() { Ok(held) } else { Err(problems) }
}

fn busy(stream: &StreamNode) -> String {
    format!("stream {}: an order (redrive, seek or purge) is at work on it", stream.name)
}

/// Records that all deliveries of the stream have settled: some of them may be deleted.
fn settled_by_all(stream: &StreamNode) -> Vec<Range<u64>> {
    let all = 0..stream.kept().end;
    let owed = owed(&stream.kept(), &stream.cursors());
    let (mut settled, mut from) = (Vec::new(), all.start);
    for run in owed.iter().chain(std::iter::once(all.end..all.end)) {
        if from < run.start {
            settled.push(from..run.start);
        }
        from = run.end;
    }
    settled
}

/// What is to be opened.
enum Wanted<'a> {
    Ingress(&'a lifeboat_api::Ingress),
    Delivery(&'a Delivery),
}

/// A socket of the file, and its field.
fn wanted<'a>(
    queue: &'a Dataplane,
    side: Side,
    stream: &str,
    socket: &str,
) -> (String, Option<Wanted<'a>>) {
    let found = queue.streams.iter().enumerate().find(|(_, it)| it.name == stream);
    let Some((at, stream)) = found else { return (format!("{stream}.{socket}"), None) };
    let (list, index, wanted) = match side {
        Side::Ingress => {
            let index = stream.ingress.iter().position(|it| it.name == socket);
            let wanted = index.and_then(|index| stream.ingress.get(index)).map(Wanted::Ingress);
            ("ingress", index, wanted)
        }
        Side::Delivery => {
            let index = stream.deliveries.iter().position(|it| it.name == socket);
            let wanted = index.and_then(|index| stream.deliveries.get(index)).map(Wanted::Delivery);
            ("deliveries", index, wanted)
        }
    };
    (format!("spec.streams[{at}].{list}[{}]", index.unwrap_or_default()), wanted)
}

pub(super) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
