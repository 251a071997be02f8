//! `kubectl pq status`.

mod render;

use std::collections::BTreeMap;
use std::io::Write;

use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;
use lifeboat_api::queue::PersistentQueue;
use serde_json::{Value, json};

use super::cli::Status;
use super::exec;
use super::report::Report;
use super::{Error, Place};
use crate::names;

pub(super) async fn run(
    place: &Place,
    options: &Status,
    out: &mut dyn Write,
    remarks: &mut dyn Write,
) -> Result<(), Error> {
    match &options.name {
        Some(name) => one(place, name, options.json, out).await,
        None => all(place, options, out, remarks).await,
    }
}

async fn all(
    place: &Place,
    options: &Status,
    out: &mut dyn Write,
    remarks: &mut dyn Write,
) -> Result<(), Error> {
    let queues: Api<PersistentQueue> =
        if options.all_namespaces { Api::all(place.client.clone()) } else { place.queues() };
    let queues = queues.list(&ListParams::default()).await?.items;
    if options.json {
        writeln!(out, "{:#}", json!(queues))?;
    } else if queues.is_empty() {
        writeln!(
            remarks,
            "no PersistentQueues in {}",
            if options.all_namespaces { "any namespace" } else { &place.namespace }
        )?;
    } else {
        out.write_all(
            render::queues(&queues, options.all_namespaces, Timestamp::now()).as_bytes(),
        )?;
    }
    Ok(())
}

async fn one(place: &Place, name: &str, json: bool, out: &mut dyn Write) -> Result<(), Error> {
    let queue = place.queues().get(name).await?;
    let instances = queue.status.iter().flat_map(|status| &status.instances);
    // The others have nobody to ask.
    let instances = instances.filter(|instance| instance.node.is_some());
    let ordinals: Vec<u32> =
        instances.filter_map(|instance| u32::try_from(instance.ordinal).ok()).collect();
    let mut answers = BTreeMap::new();
    for ordinal in ordinals {
        answers.insert(ordinal, ask(place, &names::pod(name, ordinal)).await);
    }
    if json {
        let sidecars: BTreeMap<_, _> = answers
            .into_iter()
            .map(|(ordinal, answer)| {
                (ordinal, answer.unwrap_or_else(|error| json!({"error": error})))
            })
            .collect();
        let mut tree = json!(queue);
        tree["sidecars"] = json!(sidecars);
        writeln!(out, "{tree:#}")?;
        return Ok(());
    }
    let reports = answers
        .into_iter()
        .map(|(ordinal, answer)| (ordinal, answer.and_then(|tree| read(&tree))))
        .collect();
    out.write_all(render::queue(&queue, &reports, Timestamp::now()).as_bytes())?;
    Ok(())
}

/// What a sidecar says of itself, or why it does not.
async fn ask(place: &Place, pod: &str) -> Result<Value, String> {
    let words = ["status", "--json"].map(str::to_owned);
    let printed = exec::lifeboat(place, pod, &words).await.map_err(|error| error.to_string())?;
    serde_json::from_str(&printed.out).map_err(|error| format!("{pod}: {error}"))
}

fn read(answer: &Value) -> Result<Report, String> {
    serde_json::from_value(answer.clone()).map_err(|error| error.to_string())
}
