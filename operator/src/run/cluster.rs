//! What the operator watches that belongs to no namespace: storage classes and nodes. Where it may
//! not read them it goes without, and concludes nothing.

use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};

use crate::run::cache::follow;
use crate::run::metrics::Metrics;

/// Storage classes and nodes, as the watches last saw them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cluster {
    classes: Store<StorageClass>,
    nodes: Store<Node>,
}

impl Cluster {
    /// Watches them for as long as the stream is polled.
    pub(crate) fn watch(client: &Client, metrics: &Metrics) -> (Self, BoxStream<'static, ()>) {
        let (classes, nodes) = (Writer::default(), Writer::default());
        let cluster = Self { classes: classes.as_reader(), nodes: nodes.as_reader() };
        let config = watcher::Config::default;
        let api = Api::<StorageClass>::all(client.clone());
        let classes = follow(api, config(), classes, &(), metrics.clone(), |_| {});
        let api = Api::<Node>::all(client.clone());
        let nodes = follow(api, config(), nodes, &(), metrics.clone(), slim);
        (cluster, stream::select(classes.map(drop), nodes.map(drop)).boxed())
    }

    /// Whether claims of this class may grow; `None` where that cannot be known.
    pub(crate) fn allows_growth(&self, class: &str) -> Option<bool> {
        let class = self.classes.get(&ObjectRef::new(class))?;
        Some(class.allow_volume_expansion.unwrap_or(false))
    }

    /// Whether a node is deleted or not ready. A node that cannot be known is there.
    pub(crate) fn is_gone(&self, node: &str) -> bool {
        let filled = self.nodes.wait_until_ready().now_or_never();
        if !matches!(filled, Some(Ok(()))) {
            return false;
        }
        self.nodes.get(&ObjectRef::new(node)).is_none_or(|node| !is_ready(&node))
    }
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
    ready.next().is_some_and(|condition| condition.status == "True")
}

/// Keeps a node's conditions: clusters have thousands of nodes.
fn slim(node: &mut Node) {
    node.labels_mut().clear();
    node.annotations_mut().clear();
    node.spec = None;
    if let Some(status) = node.status.take() {
        let conditions = status.conditions;
        node.status =
            Some(k8s_openapi::api::core::v1::NodeStatus { conditions, ..Default::default() });
    }
}
