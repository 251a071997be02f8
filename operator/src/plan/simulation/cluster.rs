//! A tiny twin of a cluster: one queue's objects, the StatefulSet controller (Parallel), kubelets
//! that take their time, sidecars with a backlog. It knows what must never happen.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_api::Replica as Entry;

use crate::facts::{Facts, State, Stream, Totals};

/// What a user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) replicas: i32,
    pub(super) suspend: bool,
    pub(super) size: u64,
    pub(super) fenced: BTreeSet<u32>,
    pub(super) force: Option<u32>,
    /// The stream keeps what is consumed.
    pub(super) keeps_history: bool,
}

/// Everything, as it really is.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) spec: Spec,
    pub(super) set: Option<Set>,
    pub(super) config: Option<Config>,
    pub(super) pods: BTreeMap<u32, Pod>,
    pub(super) claims: BTreeMap<u32, Claim>,
    pub(super) now: i64,
    /// What happened that must never happen.
    pub(super) breach: Option<String>,
    serial: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) uid: u64,
    pub(super) version: u64,
    pub(super) replicas: i32,
    pub(super) size: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) version: u64,
    pub(super) entries: BTreeMap<u32, Entry>,
}

#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) uid: u64,
    pub(super) created: i64,
    pub(super) is_ending: bool,
    pub(super) accepts: bool,
    pub(super) asked: Option<&'static str>,
    /// The sidecar's start; `None`: it is not up.
    pub(super) boot: Option<u64>,
    /// Whether somebody said `lifeboat quiesce` to this start.
    is_quiesced: bool,
    /// The configuration that the sidecar runs by.
    seen: Entry,
}

#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) uid: u64,
    pub(super) version: u64,
    pub(super) asked: u64,
    pub(super) has: u64,
    pub(super) mark: Option<String>,
    pub(super) is_ending: bool,
    pub(super) log_id: String,
    pub(super) backlog: u64,
    pub(super) history: u64,
}

impl Cluster {
    pub(super) fn new(spec: Spec) -> Self {
        Self {
            spec,
            set: None,
            config: None,
            pods: BTreeMap::new(),
            claims: BTreeMap::new(),
            now: 1_000_000,
            breach: None,
            serial: 0,
        }
    }

    pub(super) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn broken(&mut self, what: String) {
        self.breach.get_or_insert(what);
    }

    /// The StatefulSet controller: all at once, in no order.
    pub(super) fn control(&mut self) {
        let Some(set) = self.set.clone() else { return };
        let replicas = u32::try_from(set.replicas).unwrap();
        for ordinal in 0..replicas {
            if self.pods.contains_key(&ordinal) {
                continue;
            }
            let uid = self.serial();
            self.claims.entry(ordinal).or_insert_with(|| Claim {
                uid,
                version: uid,
                asked: set.size,
                has: set.size,
                mark: None,
                is_ending: false,
                log_id: format!("{uid:032x}"),
                backlog: 0,
                history: 0,
            });
            let uid = self.serial();
            self.pods.insert(
                ordinal,
                Pod {
                    uid,
                    created: self.now,
                    is_ending: false,
                    accepts: true,
                    asked: None,
                    boot: None,
                    is_quiesced: false,
                    seen: Entry::default(),
                },
            );
        }
        for (_, pod) in self.pods.range_mut(replicas..) {
            pod.is_ending = true;
        }
        let version = self.serial();
        if let Some(set) = &mut self.set {
            set.version = version;
        }
    }

    /// The kubelet starts what is not up; the configuration is mounted as it is then. A pod whose
    /// claim is being deleted gets no node.
    pub(super) fn start(&mut self, ordinal: u32) {
        let (boot, seen) = (self.serial(), self.entry(ordinal));
        let is_placed = self.claims.get(&ordinal).is_some_and(|claim| !claim.is_ending);
        let Some(pod) = self.pods.get_mut(&ordinal) else { return };
        if pod.boot.is_none() && is_placed && !pod.is_ending {
            (pod.boot, pod.seen) = (Some(boot), seen);
        }
    }

    /// A pod that ends is gone.
    pub(super) fn end(&mut self, ordinal: u32) {
        if self.pods.get(&ordinal).is_some_and(|pod| pod.is_ending) {
            self.pods.remove(&ordinal);
        }
        if self.claims.get(&ordinal).is_some_and(|claim| claim.is_ending) {
            self.delete_claim(ordinal);
        }
    }

    /// A pod is deleted by somebody: evicted, say.
    pub(super) fn evict(&mut self, ordinal: u32) {
        if let Some(pod) = self.pods.get_mut(&ordinal) {
            pod.is_ending = true;
        }
    }

    /// A sidecar dies.
    pub(super) fn die(&mut self, ordinal: u32) {
        if let Some(pod) = self.pods.get_mut(&ordinal) {
            (pod.boot, pod.is_quiesced) = (None, false);
        }
    }

    /// Somebody quiesces a sidecar by hand, until it starts anew.
    pub(super) fn quiesce(&mut self, ordinal: u32) {
        if let Some(pod) = self.pods.get_mut(&ordinal) {
            pod.is_quiesced = pod.boot.is_some();
        }
    }

    /// The kubelet brings the configuration.
    pub(super) fn bring(&mut self, ordinal: u32) {
        let seen = self.entry(ordinal);
        if let Some(pod) = self.pods.get_mut(&ordinal) {
            pod.seen = seen;
        }
    }

    /// A message comes: from outside, or from the application in the pod, which may send until
    /// its very end.
    pub(super) fn send(&mut self, ordinal: u32, inside: bool) {
        let state = self.state(ordinal);
        let inside = inside && matches!(state, Some(State::Draining | State::Quiesced));
        let is_taken = state == Some(State::Open) || inside;
        if let Some(claim) = self.claims.get_mut(&ordinal).filter(|_| is_taken) {
            claim.backlog += 1;
        }
    }

    /// The application takes all there is.
    pub(super) fn consume(&mut self, ordinal: u32) {
        let keeps = self.spec.keeps_history;
        let delivers =
            matches!(self.state(ordinal), Some(State::Open | State::Draining | State::Quiesced));
        if let Some(claim) = self.claims.get_mut(&ordinal).filter(|_| delivers) {
            claim.history += if keeps { claim.backlog } else { 0 };
            claim.backlog = 0;
        }
    }

    /// The driver makes a volume as large as is asked, while a pod runs on it.
    pub(super) fn resize(&mut self, ordinal: u32) {
        let runs = self.pods.get(&ordinal).is_some_and(|pod| pod.boot.is_some());
        if let Some(claim) = self.claims.get_mut(&ordinal).filter(|_| runs) {
            claim.has = claim.asked;
        }
    }

    /// A claim is deleted: once no pod uses it.
    pub(super) fn delete_claim(&mut self, ordinal: u32) {
        let is_used = self.pods.contains_key(&ordinal);
        let Some(claim) = self.claims.get_mut(&ordinal) else { return };
        claim.is_ending = true;
        if is_used {
            return;
        }
        let (backlog, history) = (claim.backlog, claim.history);
        self.claims.remove(&ordinal);
        if backlog + history > 0 {
            self.broken(format!("claim {ordinal} was deleted with {backlog} + {history} records"));
        }
    }

    /// What a sidecar answers.
    pub(super) fn facts(&self, ordinal: u32) -> Option<Facts> {
        let state = self.state(ordinal)?;
        let claim = self.claims.get(&ordinal)?;
        let stream =
            Stream { name: "work".to_owned(), state: "open".to_owned(), ..Stream::default() };
        Some(Facts {
            boot_id: self.pods.get(&ordinal)?.boot?.to_string(),
            log_id: claim.log_id.clone(),
            state,
            drained: Some(claim.backlog == 0),
            retains_history: Some(claim.history > 0),
            app_connected: Some(true),
            durable_volume: Some(true),
            totals: Totals { depth: claim.backlog, ..Totals::default() },
            streams: vec![stream],
            ..Facts::default()
        })
    }

    pub(super) fn state(&self, ordinal: u32) -> Option<State> {
        let pod = self.pods.get(&ordinal).filter(|pod| pod.boot.is_some())?;
        let claim = self.claims.get(&ordinal)?;
        let is_other = pod.seen.log_id.as_ref().is_some_and(|id| *id != claim.log_id);
        Some(match (&pod.seen, is_other) {
            (_, true) => State::Closed,
            (Entry { fenced: true, .. }, _) => State::Fenced,
            _ if pod.is_quiesced => State::Quiesced,
            (Entry { drain: true, .. }, _) => State::Draining,
            _ => State::Open,
        })
    }

    fn entry(&self, ordinal: u32) -> Entry {
        let config = self.config.as_ref();
        config.and_then(|config| config.entries.get(&ordinal).cloned()).unwrap_or_default()
    }
}
