//! One look at one queue: observe, read, plan, apply, take the plan's steps, tell. The order is
//! the whole logic here; every decision is in the modules that this calls.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use lifeboat_api::queue::PersistentQueue;
use rand::Rng;
use tokio::time::{Instant, timeout_at};

use crate::desired::{Desired, desired};
use crate::observed::Observed;
use crate::plan::{Plan, plan};
use crate::queue::Queue;
use crate::run::context::{Context, Remembered};
use crate::run::steps::Steps;
use crate::run::wanted::Unapplied;
use crate::status::{Subject, status};

/// Of one reconcile. Requests that hang must not hold a queue for ever.
const TIME: Duration = Duration::from_secs(60);
/// Between two looks at a queue of which nothing is heard: figures of the status are renewed, and
/// what a watch has missed is found.
const RESYNC: Duration = Duration::from_secs(30);
/// What a cache needs to catch up with a write; mostly it has, and the change has been seen.
const CATCH_UP: Duration = Duration::from_millis(200);

/// Why a reconcile did not get to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("took longer than {TIME:?}")]
    Slow,
    #[error("the watches have ended")]
    Blind,
    #[error("a StatefulSet that is none: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("{0}")]
    Unapplied(#[from] Unapplied),
    #[error("{what}: {source}")]
    Request {
        what: &'static str,
        #[source]
        source: kube::Error,
    },
}

/// Looks at one queue, within a time, and counts that.
pub(crate) async fn reconcile(
    queue: Arc<PersistentQueue>,
    context: Arc<Context>,
) -> Result<Action, Failed> {
    let start = Instant::now();
    let result = look(&queue, &context, start + TIME).await;
    let word = match &result {
        Ok(_) => "ok",
        Err(Failed::Slow) => "timeout",
        Err(Failed::Unapplied(Unapplied::Behind(_))) => "conflict",
        Err(_) => "error",
    };
    context.metrics.reconciled(word, start.elapsed());
    if result.is_ok() {
        context.backoffs.forget(&queue.uid().unwrap_or_default());
    }
    result
}

/// When to try again after a failure.
pub(crate) fn retry(queue: &PersistentQueue, error: &Failed, context: &Context) -> Action {
    let (namespace, name) = (queue.namespace(), queue.name_any());
    if let Failed::Unapplied(Unapplied::Behind(_)) = error {
        tracing::debug!(%error, namespace, queue = name, "the caches are behind; looking again");
        return Action::requeue(CATCH_UP);
    }
    let wait = context.backoffs.failed(&queue.uid().unwrap_or_default());
    tracing::warn!(%error, namespace, queue = name, ?wait, "a reconcile failed; it is tried again");
    Action::requeue(wait)
}

/// What is remembered outlives a look that takes too long.
async fn look(queue: &PersistentQueue, context: &Context, end: Instant) -> Result<Action, Failed> {
    match timeout_at(end, context.sources.cache.filled()).await {
        Ok(true) => {}
        Ok(false) => return Err(Failed::Blind),
        Err(_) => return Err(Failed::Slow),
    }
    let key = ObjectRef::from_obj(queue);
    let mut remembered = context.recall(&key, &queue.uid().unwrap_or_default());
    let acting = timeout_at(end, act(queue, context, &mut remembered));
    let result = acting.await.unwrap_or(Err(Failed::Slow));
    context.remember(key, remembered);
    result
}

async fn act(
    resource: &PersistentQueue,
    context: &Context,
    remembered: &mut Remembered,
) -> Result<Action, Failed> {
    let now = Timestamp::now();
    let mut observed = context.sources.observe(resource, remembered.refused.clone())?;
    let queue = match Queue::read(resource) {
        Ok(queue) => queue,
        Err(problems) => {
            let (queue, plan) = (Err(&problems), &Plan::default());
            let observed = &observed;
            let subject = Subject { queue, observed, plan, desired: None, is_released: false };
            tell(context, &subject, now).await?;
            return Ok(Action::await_change());
        }
    };
    let plan = plan(&queue, &observed, &mut remembered.memory, now);
    hurry(context, &observed, &plan);
    let wanted = (!plan.paused).then(|| desired(&queue, &plan, &observed, &context.release));
    let (is_released, done) = match &wanted {
        Some(desired) => carry_out(context, desired, &observed, &plan).await,
        None => (false, Ok(())),
    };
    remembered.refused = match &done {
        Err(Failed::Unapplied(Unapplied::Refused(message))) => Some(message.clone()),
        Ok(()) => None,
        // Nothing was learnt.
        Err(_) => remembered.refused.take(),
    };
    observed.refused.clone_from(&remembered.refused);
    // Whatever went wrong, people are told what is known.
    let (queue, observed, desired) = (Ok(&queue), &observed, wanted.as_ref());
    let subject = Subject { queue, observed, plan: &plan, desired, is_released };
    tell(context, &subject, now).await?;
    match done {
        // Told in the status. Only a change, or an admission that changes its mind, can help.
        Err(Failed::Unapplied(Unapplied::Refused(_))) => Ok(Action::requeue(RESYNC)),
        Err(error) => Err(error),
        Ok(()) => Ok(Action::requeue(plan.again_in.unwrap_or(RESYNC).min(resync()))),
    }
}

/// Makes the objects what they are to be, then takes the plan's steps; the first that fails ends
/// it. The releases are made before, in any case, and hold up nothing; answers also whether all were.
async fn carry_out(
    context: &Context,
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
) -> (bool, Result<(), Failed>) {
    let queue = &observed.queue;
    let cache = &context.sources.cache;
    let steps = Steps { client: &context.client, metrics: &context.metrics, queue };
    let released = steps.take_each(&plan.releases).await;
    let is_released = released.is_ok();
    let key = ObjectRef::from_obj(queue);
    let done = match context.applier.apply(&key, &desired.objects, observed, cache).await {
        Ok(()) => steps.take_all(&plan.steps).await,
        failed => failed,
    };
    (is_released, done.and(released).map_err(Failed::from))
}

/// Writes the status and the events.
async fn tell(context: &Context, subject: &Subject<'_>, now: Timestamp) -> Result<(), Failed> {
    let (status, notes) = status(subject, now);
    let queue = &subject.observed.queue;
    let published = context.publisher.publish(queue, &status).await;
    let is_new =
        published.map_err(|source| Failed::Request { what: "writing the status", source })?;
    if is_new {
        context.events.publish(&queue.object_ref(&()), &notes).await;
    }
    Ok(())
}

/// Reads those sidecars more often whose answers the plan waits for.
fn hurry(context: &Context, observed: &Observed, plan: &Plan) {
    for (ordinal, replica) in &observed.replicas {
        let drains = plan.sidecars.get(ordinal).is_some_and(|sidecar| sidecar.drain == Some(true));
        if let Some(uid) = replica.pod.as_ref().and_then(ResourceExt::uid) {
            context.sources.sidecars.hurry(&uid, drains);
        }
    }
}

/// Not all queues at once.
fn resync() -> Duration {
    RESYNC.mul_f64(rand::rng().random_range(0.8..=1.0))
}
