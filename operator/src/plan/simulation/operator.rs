//! The operator around the decisions, as a twin: caches that lag behind, facts that grow old, a
//! death in the middle. Variants are broken on purpose: the simulation must find each.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use lifeboat_api::Replica as Entry;

use super::cluster::{Cluster, Config, Set, Spec};
use super::objects;
use crate::facts::Facts;
use crate::names;
use crate::observed::{Observed, Replica};
use crate::plan::testing::at;
use crate::plan::{Memory, Phase, Plan, Step, plan, view};
use crate::queue::Queue;
use crate::status::{Subject, status};

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// A replica goes when it was proven drained, without being sealed.
    NoSeal,
    /// A replica goes as soon as it is asked to.
    NoProof,
    /// Every claim of an ordinal that is gone is deleted.
    NoMark,
    /// Objects are applied whatever has happened to them since they were read.
    NoPrecondition,
    /// What this operator has taken back is forgotten, while its caches lag.
    NoMemory,
    /// A StatefulSet that is gone comes back with the replicas that are wanted.
    NoCount,
}

/// What is read, each at its own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cache {
    Queue,
    Set,
    Config,
    Replicas,
}

#[derive(Debug)]
pub(super) struct Operator {
    fault: Fault,
    memory: Memory,
    /// The resource that was read last, and what it says.
    spec: Spec,
    queue: Queue,
    /// What was read last of everything but the sidecars.
    cache: Observed,
    /// What each sidecar said last, with the uid of its pod.
    facts: BTreeMap<u32, (u64, Facts, Timestamp)>,
    pub(super) status: lifeboat_api::queue::QueueStatus,
}

impl Operator {
    pub(super) fn new(cluster: &Cluster, fault: Fault) -> Self {
        let resource = objects::queue(&cluster.spec);
        Self {
            fault,
            memory: Memory::default(),
            spec: cluster.spec.clone(),
            queue: Queue::read(&resource).unwrap(),
            cache: objects::observed(cluster, resource),
            facts: BTreeMap::new(),
            status: lifeboat_api::queue::QueueStatus::default(),
        }
    }

    /// The operator dies, and another starts: with everything read anew.
    pub(super) fn restart(&mut self, cluster: &Cluster) {
        let status = std::mem::take(&mut self.status);
        *self = Self { status, ..Self::new(cluster, self.fault) };
    }

    /// The caches catch up, but for those that lag.
    pub(super) fn refresh(&mut self, cluster: &Cluster, lagging: &BTreeSet<Cache>) {
        let old = self.cache.clone();
        if self.spec != cluster.spec && !lagging.contains(&Cache::Queue) {
            self.cache.queue = objects::queue(&cluster.spec);
            self.spec = cluster.spec.clone();
            self.queue = Queue::read(&self.cache.queue).unwrap();
        }
        self.cache = objects::observed(cluster, self.cache.queue.clone());
        if lagging.contains(&Cache::Set) {
            (self.cache.stateful_set, self.cache.claim_templates) =
                (old.stateful_set, old.claim_templates);
        }
        if lagging.contains(&Cache::Config) {
            self.cache.config_map = old.config_map;
        }
        if lagging.contains(&Cache::Replicas) {
            self.cache.replicas = old.replicas;
        }
    }

    /// Asks a sidecar.
    pub(super) fn poll(&mut self, cluster: &Cluster, ordinal: u32) {
        if let (Some(pod), Some(facts)) = (cluster.pods.get(&ordinal), cluster.facts(ordinal)) {
            self.facts.insert(ordinal, (pod.uid, facts, at(cluster.now)));
        }
    }

    /// Decides and carries it out, but no more than `operations` of it.
    pub(super) fn reconcile(&mut self, cluster: &mut Cluster, operations: usize) -> Plan {
        let mut observed = self.cache.clone();
        observed.queue.status = Some(self.status.clone());
        for (ordinal, replica) in &mut observed.replicas {
            let uid = replica.pod.as_ref().and_then(|pod| pod.metadata.uid.clone());
            let known = self.facts.get(ordinal);
            let known = known.filter(|(of, ..)| uid.as_deref() == Some(of.to_string().as_str()));
            replica.facts = known.map(|(_, facts, at)| (facts.clone(), *at));
        }
        let queue = self.queue.clone();
        if self.fault == Fault::NoMemory {
            self.memory.forget_cancelled();
        }
        let now = at(cluster.now);
        let decided = plan(&queue, &observed, &mut self.memory, now);
        let decided = self.spoil(decided, &observed, &queue);
        let entries = view::View::new(&queue, &observed, now).entries;
        let mut carried =
            Carried { cluster, observed: &observed, queue: &queue, entries, left: operations };
        let is_done = carried.carry_out(&decided, self.fault);
        if is_done {
            let subject = Subject {
                queue: Ok(&queue),
                observed: &observed,
                plan: &decided,
                desired: None,
                is_released: true,
            };
            self.status = status(&subject, now).0;
        }
        decided
    }

    fn spoil(&self, mut plan: Plan, observed: &Observed, queue: &Queue) -> Plan {
        let phase = plan.scale_down.as_ref().map(|going| going.phase);
        let going = plan.scale_down.as_ref().map(|going| going.ordinal);
        let set = observed.stateful_set.as_ref();
        let current = set.and_then(|set| set.spec.as_ref()?.replicas).unwrap_or(0);
        match self.fault {
            Fault::NoSeal if phase == Some(Phase::Sealing) => {
                let replica = going.and_then(|going| observed.replicas.get(&going));
                plan.steps.extend(replica.and_then(mark));
                plan.replicas = current - 1;
            }
            Fault::NoProof if phase == Some(Phase::Requested) => plan.replicas = current - 1,
            Fault::NoMark if set.is_some() => {
                let gone = observed.replicas.iter().filter(|(ordinal, it)| {
                    i32::try_from(**ordinal).unwrap() >= current.max(plan.replicas)
                        && it.pod.is_none()
                        && Some(**ordinal) != going
                });
                plan.steps.extend(gone.filter_map(|(_, it)| {
                    let metadata = it.claim.as_ref()?.metadata.clone();
                    Some(Step::DeleteClaim {
                        claim: metadata.name?,
                        uid: metadata.uid?,
                        resource_version: metadata.resource_version?,
                    })
                }));
            }
            Fault::NoCount if set.is_none() && !queue.suspend => plan.replicas = queue.replicas,
            _ => {}
        }
        plan
    }
}

/// A mark with whatever volume there is.
fn mark(replica: &Replica) -> Option<Step> {
    let metadata = replica.claim.as_ref()?.metadata.clone();
    let log_id = replica.facts.as_ref().map(|(facts, _)| facts.log_id.clone());
    Some(Step::MarkDrained { claim: metadata.name?, uid: metadata.uid?, log_id })
}

/// A plan on its way into the cluster.
struct Carried<'a> {
    cluster: &'a mut Cluster,
    observed: &'a Observed,
    queue: &'a Queue,
    /// What the configuration says, as far as is known.
    entries: BTreeMap<u32, Entry>,
    /// How many operations there is time for.
    left: usize,
}

impl Carried<'_> {
    /// Whether it came to its end.
    fn carry_out(&mut self, plan: &Plan, fault: Fault) -> bool {
        let is_free = fault == Fault::NoPrecondition;
        if !(self.may() && self.apply_config(plan, is_free)) {
            return false;
        }
        if !(self.may() && self.apply_set(plan, is_free)) {
            return false;
        }
        let mut steps = plan.releases.iter().chain(&plan.steps);
        steps.all(|step| self.may() && self.step(step))
    }

    fn may(&mut self) -> bool {
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }

    fn apply_config(&mut self, plan: &Plan, is_free: bool) -> bool {
        let entry = |given: &lifeboat_api::resource::Replica| Entry {
            log_id: given.log_id.clone(),
            fenced: given.fenced == Some(true),
            drain: given.drain == Some(true),
        };
        let entries: BTreeMap<_, _> =
            plan.sidecars.iter().map(|(ordinal, given)| (*ordinal, entry(given))).collect();
        if self.entries == entries && self.observed.config_map.is_some() {
            // What is as it ought to be, as far as is known, is not sent.
            return true;
        }
        let seen = self.observed.config_map.as_ref();
        let seen = seen.and_then(|map| map.metadata.resource_version.clone());
        let real = self.cluster.config.as_ref().map(|config| config.version.to_string());
        if seen != real && !is_free {
            return false;
        }
        let version = self.cluster.serial();
        self.cluster.config = Some(Config { version, entries });
        true
    }

    fn apply_set(&mut self, plan: &Plan, is_free: bool) -> bool {
        let seen = self.observed.stateful_set.as_ref();
        let seen_replicas = seen.and_then(|set| set.spec.as_ref()?.replicas);
        if seen_replicas == Some(plan.replicas) {
            return true;
        }
        let seen = seen.and_then(|set| set.metadata.resource_version.clone());
        let real = self.cluster.set.as_ref().map(|set| set.version.to_string());
        if seen != real && !is_free {
            return false;
        }
        self.check_lowering(plan.replicas);
        let version = self.cluster.serial();
        let size = self.cluster.spec.size;
        match &mut self.cluster.set {
            Some(set) => (set.version, set.replicas) = (version, plan.replicas),
            none => {
                let replicas = plan.replicas;
                *none = Some(Set { uid: version, version, replicas, size });
            }
        }
        true
    }

    /// No replica goes with a backlog, but for one that people gave up or put to rest.
    fn check_lowering(&mut self, replicas: i32) {
        let was = self.cluster.set.as_ref().map(|set| u32::try_from(set.replicas).unwrap());
        let pods = self.cluster.pods.iter().filter(|(_, pod)| !pod.is_ending);
        let pods = pods.map(|(ordinal, _)| ordinal + 1).max().unwrap_or(0);
        for ordinal in u32::try_from(replicas).unwrap()..was.unwrap_or(pods) {
            let is_given_up = self.queue.requests.force_scale_down == Some(ordinal);
            let backlog = self.cluster.claims.get(&ordinal).map_or(0, |claim| claim.backlog);
            if backlog > 0 && !is_given_up && !self.queue.suspend {
                self.cluster.broken(format!("replica {ordinal} goes with {backlog} records"));
            }
        }
    }

    fn step(&mut self, step: &Step) -> bool {
        let is = |uid: &String, real: u64| *uid == real.to_string();
        let version = self.cluster.serial();
        let claim_of = |name: &str| names::claim_ordinal("q", name).unwrap();
        let pod_of = |name: &str| names::pod_ordinal("q", name).unwrap();
        match step {
            Step::Accept { pod, uid, accept } => {
                let pod = self.cluster.pods.get_mut(&pod_of(pod));
                let Some(pod) = pod.filter(|pod| is(uid, pod.uid)) else { return false };
                pod.accepts = *accept;
            }
            Step::Ask { pod, uid, state } => {
                let pod = self.cluster.pods.get_mut(&pod_of(pod));
                let Some(pod) = pod.filter(|pod| is(uid, pod.uid)) else { return false };
                pod.asked = Some(*state);
            }
            Step::GrowClaim { claim, uid, size } => {
                let claim = self.cluster.claims.get_mut(&claim_of(claim));
                let Some(claim) = claim.filter(|it| is(uid, it.uid)) else { return false };
                (claim.version, claim.asked) = (version, size.replace("Gi", "").parse().unwrap());
            }
            Step::MarkDrained { claim, uid, log_id } => {
                let claim = self.cluster.claims.get_mut(&claim_of(claim));
                let Some(claim) = claim.filter(|it| is(uid, it.uid)) else { return false };
                (claim.version, claim.mark) = (version, log_id.clone());
            }
            Step::DeleteClaim { claim, uid, resource_version } => {
                let ordinal = claim_of(claim);
                let claim = self.cluster.claims.get(&ordinal);
                if !claim.is_some_and(|it| is(uid, it.uid) && is(resource_version, it.version)) {
                    return false;
                }
                self.cluster.delete_claim(ordinal);
            }
            Step::Orphan { uid, resource_version } => {
                let same = |set: &Set| is(uid, set.uid) && is(resource_version, set.version);
                if !self.cluster.set.as_ref().is_some_and(same) {
                    return false;
                }
                self.cluster.set = None;
            }
            Step::Forget { value, .. } => {
                if self.cluster.spec.force.map(|force| force.to_string()).as_ref() == Some(value) {
                    self.cluster.spec.force = None;
                }
            }
            // None is owned.
            Step::OwnClaim { owned: false, .. } => {}
            Step::RestartPod { .. } | Step::OwnClaim { .. } | Step::SetAttributes { .. } => {
                self.cluster.broken(format!("{step:?} was not asked for"));
            }
        }
        true
    }
}
