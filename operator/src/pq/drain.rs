//! `kubectl pq drain`: a lower `spec.replicas`. There is no drain beside it: the spec says what is
//! wanted, so that everybody sees it, an operator that starts anew goes on with it, and undoing it is
//! a number. A drained replica that stayed would take no messages for no reason.

use std::io::Write;

use kube::api::{Patch, PatchParams};
use lifeboat_api::queue::{PersistentQueue, ScaleDownPolicy};
use serde_json::json;

use super::cli::Drain;
use super::{Error, Place};

pub(super) async fn run(place: &Place, options: &Drain, out: &mut dyn Write) -> Result<(), Error> {
    let queues = place.queues();
    let queue = queues.get(&options.name).await?;
    let (before, after) = change(&queue, options.replica).map_err(Error::Refused)?;
    // Whoever changed the queue since then may have meant something else.
    let version = queue.metadata.resource_version.as_deref().unwrap_or_default();
    let patch = json!({"metadata": {"resourceVersion": version}, "spec": {"replicas": after}});
    queues.patch_scale(&options.name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    if options.json {
        writeln!(out, "{}", json!({"before": before, "after": after}))?;
        return Ok(());
    }
    let name = &options.name;
    writeln!(out, "{name}: {} to go, {after} to stay", before - after)?;
    writeln!(
        out,
        "to take it back: kubectl scale -n {} pq/{name} --replicas={before}",
        place.namespace
    )?;
    Ok(())
}

/// `spec.replicas` before and after replica `lowest` and those above it are gone.
fn change(queue: &PersistentQueue, lowest: u32) -> Result<(i32, i32), String> {
    let before = queue.spec.replicas.unwrap_or(1);
    let after = i32::try_from(lowest).unwrap_or(i32::MAX);
    if after >= before {
        return Err(format!("there is no replica {lowest}: spec.replicas is {before}"));
    }
    if queue.spec.suspend == Some(true) {
        return Err("the queue is suspended: nothing would be delivered".to_owned());
    }
    let policy = queue.spec.scale_down.as_ref().and_then(|it| it.policy).unwrap_or_default();
    match policy {
        ScaleDownPolicy::Drain => Ok((before, after)),
        ScaleDownPolicy::Retain => Err(
            "spec.scaleDown.policy is Retain: replicas would go with what they hold; set it to Drain"
                .to_owned(),
        ),
        ScaleDownPolicy::Forbid => Err(
            "spec.scaleDown.policy is Forbid: no replica would go; set it to Drain".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(more: &str) -> PersistentQueue {
        let yaml = format!(
            "apiVersion: lifeboat.dev/v1alpha1\nkind: PersistentQueue\nmetadata: {{name: q}}\n\
             spec: {{streams: [], storage: {{}}, template: {{}}, {more}}}\n"
        );
        serde_json::from_value(lifeboat_api::parse(&yaml).unwrap()).unwrap()
    }

    #[test]
    fn it_lowers_replicas_and_only_where_that_drains() {
        assert_eq!(change(&queue("replicas: 3"), 0), Ok((3, 0)));
        assert_eq!(change(&queue("replicas: 3"), 2), Ok((3, 2)));
        assert_eq!(change(&queue(""), 0), Ok((1, 0)));
        for (more, lowest, reason) in [
            ("replicas: 3", 3, "no replica 3"),
            ("replicas: 0", 0, "spec.replicas is 0"),
            ("replicas: 1, suspend: true", 0, "suspended"),
            ("replicas: 1, scaleDown: {policy: Retain}", 0, "Retain"),
            ("replicas: 1, scaleDown: {policy: Forbid}", 0, "Forbid"),
        ] {
            let found = change(&queue(more), lowest).unwrap_err();
            assert!(found.contains(reason), "{more}: {found}");
        }
    }
}
