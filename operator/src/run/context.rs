//! What reconciles of one scope share, and what is remembered of each queue between two of them:
//! only what may be forgotten.

use std::collections::HashMap;

use kube::Client;

use crate::plan::Memory;
use crate::release::Release;
use crate::run::apply::Applier;
use crate::run::backoff::Backoffs;
use crate::run::cache::Concerned;
use crate::run::events::Events;
use crate::run::lock::Locked;
use crate::run::metrics::Metrics;
use crate::run::observe::Sources;
use crate::run::publish::Publisher;

/// What reconciles of one scope share.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) metrics: Metrics,
    pub(crate) release: Release,
    pub(crate) sources: Sources,
    pub(crate) applier: Applier,
    pub(crate) publisher: Publisher,
    pub(crate) events: Events,
    pub(crate) backoffs: Backoffs,
    remembered: Locked<HashMap<Concerned, Remembered>>,
}

/// What is remembered of one queue.
#[derive(Default)]
pub(crate) struct Remembered {
    /// Of the queue with this uid.
    pub(crate) uid: String,
    /// What plans remember.
    pub(crate) memory: Memory,
    /// What the server said to the objects and the steps that were wanted last.
    pub(crate) refused: Option<String>,
}

impl Context {
    /// Nothing is remembered yet.
    pub(crate) fn new(
        client: &Client,
        metrics: &Metrics,
        release: Release,
        sources: Sources,
        events: Events,
    ) -> Self {
        Self {
            applier: Applier::new(client.clone(), metrics.clone()),
            publisher: Publisher::new(client.clone(), metrics.clone()),
            backoffs: Backoffs::default(),
            remembered: Locked::default(),
            client: client.clone(),
            metrics: metrics.clone(),
            release,
            sources,
            events,
        }
    }

    /// What is remembered of this very queue, not of one that had its name before. It is to be
    /// given back: one queue is never reconciled twice at the same time.
    pub(crate) fn recall(&self, queue: &Concerned, uid: &str) -> Remembered {
        let remembered = self.remembered.lock().remove(queue).filter(|it| it.uid == uid);
        remembered.unwrap_or_else(|| Remembered { uid: uid.to_owned(), ..Remembered::default() })
    }

    /// Gives it back.
    pub(crate) fn remember(&self, queue: Concerned, remembered: Remembered) {
        self.remembered.lock().insert(queue, remembered);
    }

    /// Forgets a queue that is gone.
    pub(crate) fn forget(&self, queue: &Concerned) {
        self.applier.forget(queue);
        if let Some(remembered) = self.remembered.lock().remove(queue) {
            self.publisher.forget(&remembered.uid);
            self.backoffs.forget(&remembered.uid);
        }
    }
}
