//! What the operator hands to the sidecars of a queue. It must not change a byte of what the user
//! wrote, nor judge it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::PersistentQueue;
use crate::Replica;

impl PersistentQueue {
    /// The document of the queue's ConfigMap, which `lifeboat run` reads: `apiVersion`, `kind`,
    /// `metadata.name`, `spec.{streams,storage,durability,sidecar.memory}` as they are written,
    /// and beside `spec` what holds for each of `replicas`, by ordinal.
    ///
    /// [`validate_dataplane`](crate::validate_dataplane) accepts it if it accepts the resource, and
    /// refuses it if it refuses the resource for anything that the data plane reads.
    pub fn dataplane_document(&self, replicas: &BTreeMap<u32, Replica>) -> Value {
        let mut spec = Map::new();
        spec.insert("streams".to_owned(), self.spec.streams.clone());
        spec.insert("storage".to_owned(), self.spec.storage.clone());
        if let Some(durability) = &self.spec.durability {
            spec.insert("durability".to_owned(), durability.clone());
        }
        let memory = self.spec.sidecar.as_ref().and_then(|sidecar| sidecar.get("memory"));
        if let Some(memory) = memory {
            spec.insert("sidecar".to_owned(), json!({"memory": memory}));
        }
        let replicas: Map<_, _> = replicas
            .iter()
            .map(|(ordinal, replica)| (ordinal.to_string(), replica_document(replica)))
            .collect();
        json!({
            "apiVersion": crate::API_VERSION,
            "kind": crate::KIND,
            "metadata": {"name": self.metadata.name},
            "spec": spec,
            "replicas": replicas,
        })
    }
}

/// What holds for one replica; what is as usual is not written.
fn replica_document(replica: &Replica) -> Value {
    let mut document = Map::new();
    if let Some(id) = &replica.log_id {
        document.insert("logId".to_owned(), id.as_str().into());
    }
    for (name, holds) in [("fenced", replica.fenced), ("drain", replica.drain)] {
        if holds {
            document.insert(name.to_owned(), true.into());
        }
    }
    document.into()
}
