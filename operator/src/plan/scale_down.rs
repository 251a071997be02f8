//! The way of a replica that is to go: asked to drain, drained, proven so, sealed, marked, gone.
//! One at a time, the highest first, and every step before the last can be taken back.
//!
//! Proof is two reads at least [`PROOF`] apart, of one start of one volume, with nothing left. That
//! is not enough to delete a claim, for the application may still send through the sockets in its
//! pod. So the replica is then sealed (fenced), which lets nothing more in, and only what it says
//! sealed counts. A mark on the claim says so for later, when there is nobody left to ask.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use lifeboat_api::queue::{OnTimeout, ScaleDownPolicy};

use super::Step;
use super::claims;
use super::identity::Identity;
use super::memory::{Memory, Since};
use super::replicas::Target;
use super::view::{View, elapsed, number};
use crate::facts::{Facts, State};

mod blocked;

pub use blocked::Blocked;

/// The time between the two reads that prove a replica drained.
const PROOF: Duration = Duration::from_secs(5);
/// How long something may hold up a drain before it counts as stalled: a pod's restart takes that
/// long, an application's start as well.
const PATIENCE: Duration = Duration::from_secs(60);

/// A scale-down under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaleDown {
    /// The replicas that are wanted.
    pub target: i32,
    /// The replica that is going.
    pub ordinal: u32,
    /// Since when it is.
    pub started_at: Timestamp,
    /// How far it is.
    pub phase: Phase,
    /// What holds it up.
    pub blocked: Option<Blocked>,
    /// Whether that has been so for long enough to be told as an error.
    pub is_stalled: bool,
}

/// How far a replica that is to go is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is asked to take in nothing more.
    Requested,
    /// It delivers what it has.
    Draining,
    /// Nothing is left, for the first time.
    Verifying,
    /// It is being closed, so that nothing is left for good.
    Sealing,
    /// Its pod goes.
    Shrinking,
}

/// What the scale-down asks for now.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) replicas: i32,
    /// What the going replica's configuration is to say.
    pub(super) going: Option<Going>,
    pub(super) steps: Vec<Step>,
    pub(super) scale_down: Option<ScaleDown>,
    pub(super) hold_rollout: bool,
    pub(super) again_in: Option<Duration>,
}

/// What a going replica's configuration is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Going {
    pub(super) ordinal: u32,
    pub(super) drain: bool,
    pub(super) is_sealed: bool,
}

/// For how long a replica has been on its way, and has not got on.
#[derive(Clone, Copy, Debug)]
struct Waits {
    /// Since it was asked to go.
    age: Duration,
    /// That it is not in the state that it is asked to be in.
    unheard: Duration,
    /// That what it holds has not become less.
    idle: Duration,
}

/// What comes next for a replica that drains.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// It goes on, sealed or not.
    Wait(Phase),
    /// It was proven drained: let nothing more in.
    Seal,
    /// Its claim is to be marked.
    Mark(String),
    /// Nothing is left to be done: it may go.
    Go,
}

/// Decides on the next step down.
pub(super) fn course(
    view: &View<'_>,
    identity: &Identity,
    target: &Target,
    memory: &mut Memory,
) -> Course {
    if view.queue.suspend {
        return Course::default();
    }
    let up = target.wanted.max(target.from);
    if let Some(ordinal) = leaving(view).filter(|_| target.wanted <= target.from) {
        let scale_down = Some(shrinking(view, target, ordinal, memory));
        return Course { replicas: up, scale_down, ..Course::default() };
    }
    if let Some(ordinal) = target.going {
        return going(view, identity, target, ordinal, memory);
    }
    let scale_down = (target.wanted < target.from && view.current == Some(target.from))
        .then(|| forbidden(view, target));
    Course { replicas: up, scale_down, ..Course::default() }
}

/// The pod of a replica that is gone already: the highest of those.
fn leaving(view: &View<'_>) -> Option<u32> {
    view.current?;
    let pods = view.observed.replicas.iter().filter(|(_, replica)| replica.pod.is_some());
    pods.map(|(ordinal, _)| *ordinal).filter(|ordinal| *ordinal >= view.count()).max()
}

fn shrinking(view: &View<'_>, target: &Target, ordinal: u32, memory: &mut Memory) -> ScaleDown {
    ScaleDown {
        target: target.wanted,
        ordinal,
        started_at: started_at(view, ordinal, memory),
        phase: Phase::Shrinking,
        blocked: None,
        is_stalled: false,
    }
}

fn forbidden(view: &View<'_>, target: &Target) -> ScaleDown {
    ScaleDown {
        target: target.wanted,
        ordinal: number(target.from - 1),
        started_at: view.now,
        phase: Phase::Requested,
        blocked: Some(Blocked::Forbidden),
        is_stalled: true,
    }
}

/// Since when the replica is on its way: the status remembers it longer than an operator runs.
fn started_at(view: &View<'_>, ordinal: u32, memory: &mut Memory) -> Timestamp {
    let status = view.observed.queue.status.as_ref();
    let known = status.and_then(|status| status.scale_down.as_ref());
    let known = known.filter(|it| number(it.ordinal) == ordinal).map(|it| it.started_at.0);
    let first = memory.since(Since::Drain(ordinal), view.now);
    known.unwrap_or(first)
}

fn going(
    view: &View<'_>,
    identity: &Identity,
    target: &Target,
    ordinal: u32,
    memory: &mut Memory,
) -> Course {
    let started_at = started_at(view, ordinal, memory);
    let age = elapsed(started_at, view.now);
    let is_sealed = is_sealed(view, ordinal, memory);
    let next = match view.queue.scale_down.policy {
        ScaleDownPolicy::Retain => Next::Wait(Phase::Requested),
        _ if is_sealed => sealed(view, identity, ordinal),
        _ => draining(view, identity, ordinal, memory),
    };
    if next != Next::Go && is_given_up(view, ordinal, age) {
        return give_up(view, target, ordinal, memory);
    }
    let keeps_seal = match next {
        Next::Wait(phase) => phase == Phase::Sealing,
        Next::Seal | Next::Mark(_) | Next::Go => true,
    };
    let phase = match next {
        Next::Wait(phase) => phase,
        Next::Seal | Next::Mark(_) => Phase::Sealing,
        Next::Go => Phase::Shrinking,
    };
    let waits = Waits {
        age,
        unheard: unheard(view, identity, ordinal, is_sealed, memory),
        idle: idle(view, ordinal, memory),
    };
    let blocked =
        if next == Next::Go { None } else { blocked::blocked(view, identity, ordinal, waits) };
    let patience = patience(blocked.as_ref(), ordinal, waits, view.now, memory);
    let steps = match next {
        Next::Mark(log_id) => claims::mark(view, ordinal, log_id).into_iter().collect(),
        _ => Vec::new(),
    };
    Course {
        replicas: if phase == Phase::Shrinking { target.from - 1 } else { target.from },
        going: Some(Going {
            ordinal,
            drain: view.mark(ordinal).is_none() || is_sealed,
            is_sealed: keeps_seal,
        }),
        steps,
        hold_rollout: blocked.is_none() && phase != Phase::Shrinking,
        again_in: again_in(view, phase, age, patience),
        scale_down: Some(ScaleDown {
            target: target.wanted,
            ordinal,
            started_at,
            phase,
            is_stalled: blocked.is_some() && patience.is_zero(),
            blocked,
        }),
    }
}

/// Whether the configuration has the replica sealed, and that still says something.
fn is_sealed(view: &View<'_>, ordinal: u32, memory: &Memory) -> bool {
    let entry = view.entry(ordinal);
    entry.drain && entry.fenced && !view.is_fenced(ordinal) && !memory.is_cancelled(ordinal)
}

/// A replica that has not been proven drained.
fn draining(view: &View<'_>, identity: &Identity, ordinal: u32, memory: &mut Memory) -> Next {
    let Some((facts, at)) = view.fresh_facts(ordinal).filter(|_| !view.is_fenced(ordinal)) else {
        memory.unclean_read();
        return Next::Wait(Phase::Requested);
    };
    if !obeys(facts, false) {
        memory.unclean_read();
        return Next::Wait(Phase::Requested);
    }
    if !is_clean(facts, identity, ordinal) {
        memory.unclean_read();
        return Next::Wait(Phase::Draining);
    }
    if memory.clean_read(ordinal, facts, at) < PROOF {
        return Next::Wait(Phase::Verifying);
    }
    memory.proven(ordinal);
    Next::Seal
}

/// A replica that lets nothing more in: what it says now is final.
fn sealed(view: &View<'_>, identity: &Identity, ordinal: u32) -> Next {
    let Some((facts, _)) = view.fresh_facts(ordinal) else { return Next::Wait(Phase::Sealing) };
    if !obeys(facts, true) || facts.drained.is_none() {
        return Next::Wait(Phase::Sealing);
    }
    if !is_clean(facts, identity, ordinal) {
        // Something came in through the pod's own sockets at the last moment.
        return Next::Wait(Phase::Draining);
    }
    // History is worth keeping, so its claim gets no mark that would let it be deleted.
    let keeps_history = facts.retains_history != Some(false);
    match view.mark(ordinal) {
        None if keeps_history => Next::Go,
        Some(mark) if mark == facts.log_id && !keeps_history => Next::Go,
        Some(_) if keeps_history => Next::Wait(Phase::Draining),
        _ if view.claim(ordinal).is_none() => Next::Go,
        _ => Next::Mark(facts.log_id.clone()),
    }
}

/// Whether a replica is in the state that it is asked to be in.
fn obeys(facts: &Facts, is_sealed: bool) -> bool {
    match facts.state {
        State::Fenced => is_sealed,
        // One that was quiesced by hand takes in nothing more either, and does not say that it
        // drains. If it starts anew it does, and is proven anew.
        State::Draining | State::Quiesced => !is_sealed,
        _ => false,
    }
}

fn is_clean(facts: &Facts, identity: &Identity, ordinal: u32) -> bool {
    let is_expected = identity.expected.get(&ordinal) == Some(&facts.log_id);
    facts.drained == Some(true) && is_expected
}

/// Whether the replica is to go with what it holds.
fn is_given_up(view: &View<'_>, ordinal: u32, age: Duration) -> bool {
    let rules = &view.queue.scale_down;
    let is_late = rules.timeout.is_some_and(|timeout| age >= timeout);
    rules.policy == ScaleDownPolicy::Retain
        || view.queue.requests.force_scale_down == Some(ordinal)
        || (is_late && rules.on_timeout == OnTimeout::Retain)
}

/// Lets the replica go as it is; its claim stays. First a mark of an earlier drain comes off, for
/// it would say that the claim holds nothing.
fn give_up(view: &View<'_>, target: &Target, ordinal: u32, memory: &mut Memory) -> Course {
    let is_marked = view.mark(ordinal).is_some();
    Course {
        replicas: if is_marked { target.from } else { target.from - 1 },
        going: Some(Going { ordinal, drain: !is_marked, is_sealed: false }),
        scale_down: Some(shrinking(view, target, ordinal, memory)),
        ..Course::default()
    }
}

/// For how long the replica has not been in the state that it is asked to be in. Zero where that is
/// not known, or it cannot be: people have fenced it, or its volume is another.
fn unheard(
    view: &View<'_>,
    identity: &Identity,
    ordinal: u32,
    is_sealed: bool,
    memory: &mut Memory,
) -> Duration {
    let cannot = view.is_fenced(ordinal) || identity.mismatches.contains_key(&ordinal);
    let facts = view.fresh_facts(ordinal).filter(|_| !cannot);
    if facts.is_none_or(|(facts, _)| obeys(facts, is_sealed)) {
        memory.over(Since::Unheard(ordinal));
        return Duration::ZERO;
    }
    elapsed(memory.since(Since::Unheard(ordinal), view.now), view.now)
}

/// For how long what the replica holds has not become less. Zero where that is not known, or nothing
/// is left.
fn idle(view: &View<'_>, ordinal: u32, memory: &mut Memory) -> Duration {
    let Some((facts, _)) = view.fresh_facts(ordinal) else { return Duration::ZERO };
    // What is leased is in the depth: a lease that runs out is no progress.
    let left = facts.totals.depth.saturating_add(facts.totals.dead_letters);
    let since = memory.progress(ordinal, left, view.now);
    if facts.drained == Some(false) { elapsed(since, view.now) } else { Duration::ZERO }
}

/// How much longer what holds the drain up may do so; where nothing does, how much longer it may
/// go without getting on.
fn patience(
    blocked: Option<&Blocked>,
    ordinal: u32,
    waits: Waits,
    now: Timestamp,
    memory: &mut Memory,
) -> Duration {
    let Some(blocked) = blocked else {
        memory.over(Since::Blocked(ordinal));
        return PATIENCE.saturating_sub(waits.idle.max(waits.unheard));
    };
    if !matches!(blocked, Blocked::NoProgress(_)) {
        // Once that is over it has its time again.
        memory.no_progress();
    }
    if blocked.is_final() {
        return Duration::ZERO;
    }
    PATIENCE.saturating_sub(elapsed(memory.since(Since::Blocked(ordinal), now), now))
}

/// When time alone changes something.
fn again_in(view: &View<'_>, phase: Phase, age: Duration, patience: Duration) -> Option<Duration> {
    let verified = (phase == Phase::Verifying).then_some(PROOF);
    let timeout = view.queue.scale_down.timeout.and_then(|timeout| timeout.checked_sub(age));
    let waits = [verified, timeout, Some(patience)];
    waits.into_iter().flatten().filter(|wait| !wait.is_zero()).min()
}
