//! `kubectl pq fence`: one ordinal more or less in the annotation that the operator reads.

use std::collections::BTreeSet;
use std::io::Write;

use kube::api::{Patch, PatchParams};
use lifeboat_api::Problems;
use lifeboat_api::queue::PersistentQueue;
use serde_json::json;

use super::cli::Fence;
use super::{Error, Place};
use crate::labels::{FENCED_REPLICAS, Requests};

/// How often it is tried while others change the queue too.
const TRIES: u32 = 5;

pub(super) async fn run(place: &Place, options: &Fence, out: &mut dyn Write) -> Result<(), Error> {
    let queues = place.queues();
    let mut tries = 0;
    let fenced = loop {
        let queue = queues.get(&options.name).await?;
        let fenced = change(&queue, options.replica, options.undo).map_err(Error::Refused)?;
        let version = queue.metadata.resource_version.as_deref().unwrap_or_default();
        let text = fenced.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        // None takes the annotation away.
        let value = (!fenced.is_empty()).then_some(text);
        let patch = json!({
            "metadata": {"resourceVersion": version, "annotations": {FENCED_REPLICAS: value}},
        });
        let patched =
            queues.patch(&options.name, &PatchParams::default(), &Patch::Merge(patch)).await;
        tries += 1;
        match patched {
            Ok(_) => break fenced,
            Err(kube::Error::Api(status)) if status.is_conflict() && tries < TRIES => {}
            Err(error) => return Err(error.into()),
        }
    };
    if options.json {
        writeln!(out, "{}", json!({"fenced": fenced}))?;
    } else if fenced.is_empty() {
        writeln!(out, "{}: no replica is to be fenced", options.name)?;
    } else {
        let list = fenced.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        writeln!(out, "{}: to be fenced: {list}", options.name)?;
    }
    Ok(())
}

/// The replicas that are to be fenced then. An annotation that cannot be read is not written over.
fn change(queue: &PersistentQueue, replica: u32, undo: bool) -> Result<BTreeSet<u32>, String> {
    let annotations = queue.metadata.annotations.clone().unwrap_or_default();
    let annotation: Vec<_> =
        annotations.into_iter().filter(|(name, _)| name == FENCED_REPLICAS).collect();
    let mut problems = Problems::default();
    let mut fenced = Requests::read(&annotation.into_iter().collect(), &mut problems).fenced;
    problems.into_result().map_err(|problems| problems.to_string())?;
    if undo {
        if !fenced.remove(&replica) {
            return Err(format!("replica {replica} is not fenced"));
        }
    } else {
        fenced.insert(replica);
    }
    Ok(fenced)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(annotation: Option<&str>) -> PersistentQueue {
        let mut tree = json!({
            "apiVersion": "lifeboat.dev/v1alpha1",
            "kind": "PersistentQueue",
            "metadata": {"name": "q"},
            "spec": {"streams": [], "storage": {}, "template": {}},
        });
        if let Some(text) = annotation {
            tree["metadata"]["annotations"] = json!({FENCED_REPLICAS: text});
        }
        serde_json::from_value(tree).unwrap()
    }

    #[test]
    fn replicas_are_added_and_taken_away() {
        assert_eq!(change(&queue(None), 1, false), Ok([1].into()));
        assert_eq!(change(&queue(Some("0,2")), 1, false), Ok([0, 1, 2].into()));
        assert_eq!(change(&queue(Some("0,2")), 2, false), Ok([0, 2].into()));
        assert_eq!(change(&queue(Some("0,2")), 2, true), Ok([0].into()));
        assert_eq!(change(&queue(Some("2")), 2, true), Ok([].into()));
        assert!(change(&queue(None), 2, true).unwrap_err().contains("not fenced"));
        assert!(change(&queue(Some("all")), 2, false).unwrap_err().contains("\"all\""));
    }
}
