//! What holds up a drain.

use crate::facts::Facts;
use crate::plan::identity::Identity;
use crate::plan::scale_down::{PATIENCE, Waits};
use crate::plan::view::View;

/// What holds up a drain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// The queue forbids to scale down.
    Forbidden,
    /// The replica is fenced: it delivers nothing.
    Fenced,
    /// Its volume is not the one that it had.
    OtherVolume,
    /// Its sidecar does not answer.
    NotRunning,
    /// Its sidecar does not say whether it is drained: it is too old.
    Silent,
    /// Its sidecar is not in the state that it is asked to be in. With what that says is wrong with
    /// its configuration.
    Unheard(Vec<String>),
    /// The drain takes longer than the queue allows.
    Timeout,
    /// No application is connected, and there is something to deliver.
    NoConsumer,
    /// What it holds does not become less. With the streams and deliveries (`stream/delivery`) that
    /// hold some of it or may, and that the queue does not name any more: nobody is served there.
    NoProgress(Vec<String>),
    /// Only dead letters are left, this many.
    DeadLetters(u64),
}

impl Blocked {
    /// Whether it needs a human at once: waiting does not help.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::NotRunning | Self::NoConsumer | Self::Silent)
    }
}

/// What holds up the drain of a replica.
pub(super) fn blocked(
    view: &View<'_>,
    identity: &Identity,
    ordinal: u32,
    waits: Waits,
) -> Option<Blocked> {
    if view.is_fenced(ordinal) {
        return Some(Blocked::Fenced);
    }
    if identity.mismatches.contains_key(&ordinal) {
        return Some(Blocked::OtherVolume);
    }
    if view.queue.scale_down.timeout.is_some_and(|timeout| waits.age >= timeout) {
        return Some(Blocked::Timeout);
    }
    let Some((facts, _)) = view.fresh_facts(ordinal) else { return Some(Blocked::NotRunning) };
    if facts.drained.is_none() {
        return Some(Blocked::Silent);
    }
    if waits.unheard >= PATIENCE {
        return Some(Blocked::Unheard(facts.config.problems.clone()));
    }
    left(facts).or_else(|| (waits.idle >= PATIENCE).then(|| Blocked::NoProgress(removed(facts))))
}

/// The streams that the queue does not name any more, and the deliveries that hold something.
fn removed(facts: &Facts) -> Vec<String> {
    let deliveries = facts.streams.iter().flat_map(|stream| {
        let removed = stream.deliveries.iter().filter(|it| it.socket.is_none() && it.depth > 0);
        removed.map(|it| format!("{}/{}", stream.name, it.delivery))
    });
    facts.removed.iter().cloned().chain(deliveries).collect()
}

fn left(facts: &Facts) -> Option<Blocked> {
    let totals = &facts.totals;
    if facts.drained == Some(true) {
        return None;
    }
    if totals.depth > 0 {
        return (facts.app_connected == Some(false)).then_some(Blocked::NoConsumer);
    }
    let is_parked = totals.in_flight == 0 && totals.dead_letters > 0;
    is_parked.then_some(Blocked::DeadLetters(totals.dead_letters))
}
