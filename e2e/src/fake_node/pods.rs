//! The life of each pod on the node: bound, started, reported, and on deletion stopped and removed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{DeleteParams, ObjectMeta, PostParams, Preconditions};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::again::until_done;
use super::{NAME, Reporter, Workload};

/// A pod that was taken in. Dropping it lets the pod's life end.
type Taken = Option<oneshot::Sender<()>>;

/// Takes in pods until it is cancelled.
pub(super) async fn serve(client: Client, workload: impl Workload) {
    let workload = Arc::new(workload);
    let mut lives = JoinSet::new();
    let mut taken: HashMap<String, Taken> = HashMap::new();
    let mut listed = HashSet::new();
    let pods = Api::<Pod>::all(client.clone());
    let mut events = watcher(pods, watcher::Config::default()).default_backoff().boxed();
    while let Some(event) = events.next().await {
        while lives.try_join_next().is_some() {}
        let pod = match event {
            Ok(Event::Init) => {
                listed.clear();
                continue;
            }
            Ok(Event::InitDone) => {
                taken.retain(|uid, _| listed.contains(uid));
                continue;
            }
            Ok(Event::Delete(pod)) => {
                taken.remove(&pod.uid().unwrap_or_default());
                continue;
            }
            Ok(Event::InitApply(pod)) => {
                listed.insert(pod.uid().unwrap_or_default());
                pod
            }
            Ok(Event::Apply(pod)) => pod,
            Err(error) => {
                eprintln!("{NAME}: watching pods: {error}");
                continue;
            }
        };
        let deleted = pod.metadata.deletion_timestamp.is_some();
        let life = taken.entry(pod.uid().unwrap_or_default()).or_insert_with(|| {
            let (end, ends) = oneshot::channel();
            lives.spawn(live(client.clone(), Arc::clone(&workload), pod, ends));
            Some(end)
        });
        if deleted {
            *life = None;
        }
    }
}

/// From the first sight of a pod to its removal, which is due when `ends` says so.
async fn live<W: Workload>(
    client: Client,
    workload: Arc<W>,
    pod: Pod,
    mut ends: oneshot::Receiver<()>,
) {
    let run = async {
        until_done("binding", &pod, || bind(&client, &pod)).await;
        let reporter = Reporter::new(client.clone(), pod.clone());
        if let Err(error) = workload.start(&pod, &reporter).await {
            eprintln!("{NAME}: {}: {error}", pod.name_any());
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = run => {}
        _ended = &mut ends => {}
    }
    workload.stop(&pod).await;
    until_done("removal", &pod, || remove(&client, &pod)).await;
}

/// The pods of its namespace.
pub(super) fn siblings(client: &Client, pod: &Pod) -> Api<Pod> {
    Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default())
}

/// Does the scheduler's part.
async fn bind(client: &Client, pod: &Pod) -> Result<(), kube::Error> {
    if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()) {
        return Ok(());
    }
    let target = ObjectReference {
        kind: Some("Node".to_owned()),
        name: Some(NAME.to_owned()),
        ..ObjectReference::default()
    };
    let metadata =
        ObjectMeta { name: pod.metadata.name.clone(), uid: pod.uid(), ..ObjectMeta::default() };
    let binding = Binding { metadata, target };
    let name = pod.name_any();
    siblings(client, pod)
        .create_subresource::<_, Status>("binding", &name, &PostParams::default(), &binding)
        .await
        .map(|_| ())
}

/// Ends the deletion that somebody asked for.
async fn remove(client: &Client, pod: &Pod) -> Result<(), kube::Error> {
    let mine = Preconditions { uid: pod.uid(), resource_version: None };
    let now = DeleteParams::default().grace_period(0).preconditions(mine);
    siblings(client, pod).delete(&pod.name_any(), &now).await.map(|_| ())
}
