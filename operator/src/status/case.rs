//! One queue to be told about, with what all parts of the status ask for.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use lifeboat_api::queue::{InstanceStatus, QueueStatus};

use super::{Subject, figures};
use crate::facts::{Facts, State};
use crate::names::SIDECAR;
use crate::plan::{FRESH, elapsed};

/// What a stream is that has no room.
const FULL: &str = "full";
/// What it is when it is damaged, and takes and delivers nothing.
const STOPPED: &str = "stopped";

/// One queue to be told about.
pub(super) struct Case<'a> {
    pub(super) subject: &'a Subject<'a>,
    /// What was told before.
    pub(super) before: &'a QueueStatus,
    pub(super) now: Timestamp,
    /// What the sidecars have said of late.
    pub(super) facts: BTreeMap<u32, &'a Facts>,
}

impl<'a> Case<'a> {
    pub(super) fn new(subject: &'a Subject<'a>, before: &'a QueueStatus, now: Timestamp) -> Self {
        let facts = subject.observed.replicas.iter().filter_map(|(ordinal, replica)| {
            let (facts, at) = replica.facts.as_ref()?;
            (elapsed(*at, now) <= FRESH).then_some((*ordinal, facts))
        });
        Self { subject, before, now, facts: facts.collect() }
    }

    /// Whether there is a plan: the queue can be read and is not paused.
    pub(super) fn is_decided(&self) -> bool {
        self.subject.queue.is_ok() && !self.subject.plan.paused
    }

    /// The replicas that are to serve: not the one that goes.
    pub(super) fn wanted(&self) -> u32 {
        let wanted = match self.subject.queue {
            Ok(queue) if queue.suspend => 0,
            Ok(queue) => queue.replicas,
            Err(_) => self.before.replicas,
        };
        u32::try_from(wanted).unwrap_or(0)
    }

    /// What the wanted replicas' sidecars have said of late.
    pub(super) fn wanted_facts(&self) -> impl Iterator<Item = (u32, &'a Facts)> {
        self.facts.range(..self.wanted()).map(|(ordinal, facts)| (*ordinal, *facts))
    }

    /// Whether each wanted replica's sidecar has said something of late.
    pub(super) fn all_report(&self) -> bool {
        self.wanted_facts().count() == self.wanted() as usize
    }

    /// The wanted replicas of which a stream has no room.
    pub(super) fn full(&self) -> Vec<u32> {
        with_stream(self.wanted_facts(), FULL)
    }

    /// The same with the one that goes.
    pub(super) fn full_of_all(&self) -> Vec<u32> {
        with_stream(self.facts.iter().map(|(ordinal, facts)| (*ordinal, *facts)), FULL)
    }

    /// The wanted replicas of which a stream is stopped.
    pub(super) fn stopped(&self) -> Vec<u32> {
        with_stream(self.wanted_facts(), STOPPED)
    }

    pub(super) fn pod(&self, ordinal: u32) -> Option<&'a Pod> {
        self.subject.observed.replicas.get(&ordinal)?.pod.as_ref()
    }

    pub(super) fn instance_before(&self, ordinal: u32) -> Option<&'a InstanceStatus> {
        let number = figures::ordinal(ordinal);
        self.before.instances.iter().find(|it| it.ordinal == number)
    }

    /// Whether the ordinal takes messages in and syncs them: its sidecar is ready, by the pod's
    /// status (in which it is only when open), and has not said otherwise since.
    pub(super) fn accepts(&self, ordinal: u32) -> bool {
        let says_open = self.facts.get(&ordinal).is_none_or(|facts| facts.state == State::Open);
        says_open && self.pod(ordinal).is_some_and(is_sidecar_ready)
    }
}

/// Those of which a stream is in this state.
fn with_stream<'a>(facts: impl Iterator<Item = (u32, &'a Facts)>, state: &str) -> Vec<u32> {
    let has = |facts: &Facts| facts.streams.iter().any(|stream| stream.state == state);
    facts.filter(|(_, facts)| has(facts)).map(|(ordinal, _)| ordinal).collect()
}

fn is_sidecar_ready(pod: &Pod) -> bool {
    let statuses = pod.status.iter().flat_map(|it| it.init_container_statuses.iter().flatten());
    let is_ready = statuses.into_iter().any(|it| it.name == SIDECAR && it.ready);
    is_ready && pod.metadata.deletion_timestamp.is_none()
}
