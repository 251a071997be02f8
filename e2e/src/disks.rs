//! A storage class whose volumes exist in the API alone: claims are bound and grow as if a driver
//! made them. What a pod would write there is the test's business.

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// The class that claims get that ask for none.
pub const CLASS: &str = "standard";
/// The same, but its volumes cannot grow.
pub const RIGID_CLASS: &str = "rigid";
/// Who makes the volumes.
const DRIVER: &str = "disks.lifeboat.test";
/// Between tries while the API server is away.
const AGAIN: Duration = Duration::from_millis(200);

/// The driver, until it is dropped: then claims stay as they are, new ones Pending.
#[derive(Debug)]
pub struct FakeDisks {
    task: JoinHandle<()>,
}

impl FakeDisks {
    /// Makes [`CLASS`], the default, and [`RIGID_CLASS`], and serves all claims of both.
    ///
    /// # Errors
    /// `Api` where a class cannot be made.
    pub async fn run(client: Client) -> Result<Self> {
        let classes = Api::<StorageClass>::all(client.clone());
        for (name, growable) in [(CLASS, true), (RIGID_CLASS, false)] {
            let default = (name == CLASS).to_string();
            let class = json!({
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {
                    "name": name,
                    "annotations": {"storageclass.kubernetes.io/is-default-class": default},
                },
                "provisioner": DRIVER,
                "allowVolumeExpansion": growable,
            });
            classes
                .patch(name, &apply(), &Patch::Apply(class))
                .await
                .map_err(Error::api("making a storage class"))?;
        }
        Ok(Self { task: tokio::spawn(serve(client)) })
    }
}

impl Drop for FakeDisks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(client: Client) {
    let claims = Api::<PersistentVolumeClaim>::all(client.clone());
    let events = watcher(claims, watcher::Config::default()).default_backoff();
    let mut claims = events.applied_objects().boxed();
    while let Some(claim) = claims.next().await {
        match claim {
            Ok(claim) => {
                while let Err(error) = provide(&client, &claim).await {
                    if matches!(&error, kube::Error::Api(status) if status.is_not_found()) {
                        break;
                    }
                    eprintln!("disk of {}: {error}", claim.name_any());
                    tokio::time::sleep(AGAIN).await;
                }
            }
            Err(error) => eprintln!("disks: watching claims: {error}"),
        }
    }
}

/// Does what this claim lacks: a volume, or room.
async fn provide(client: &Client, claim: &PersistentVolumeClaim) -> Result<(), kube::Error> {
    let (Some(spec), Some(status)) = (&claim.spec, &claim.status) else { return Ok(()) };
    let class = spec.storage_class_name.as_deref().unwrap_or_default();
    let size = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    let Some(size) = size.and_then(|requests| requests.get("storage")) else { return Ok(()) };
    let deleted = claim.metadata.deletion_timestamp.is_some();
    if deleted || ![CLASS, RIGID_CLASS].contains(&class) {
        return Ok(());
    }
    if spec.volume_name.is_none() {
        return volume(client, claim, class, size).await;
    }
    let has = status.capacity.as_ref().and_then(|capacity| capacity.get("storage"));
    if has.is_none_or(|has| has == size) {
        return Ok(());
    }
    volume(client, claim, class, size).await?;
    let namespace = claim.namespace().unwrap_or_default();
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &namespace);
    let grown = json!({
        "metadata": {"uid": claim.uid()},
        "status": {"capacity": {"storage": size}},
    });
    let name = claim.name_any();
    claims.patch_status(&name, &PatchParams::default(), &Patch::Merge(grown)).await.map(|_| ())
}

/// Makes the claim's volume, or makes it as large as the claim asks.
async fn volume(
    client: &Client,
    claim: &PersistentVolumeClaim,
    class: &str,
    size: &Quantity,
) -> Result<(), kube::Error> {
    let uid = claim.uid().unwrap_or_default();
    let name = format!("pvc-{uid}");
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": DRIVER}},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": claim.spec.as_ref().and_then(|spec| spec.access_modes.clone()),
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": class,
            "csi": {"driver": DRIVER, "volumeHandle": uid},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim.namespace(),
                "name": claim.name_any(),
                "uid": uid,
            },
        },
    });
    let volumes = Api::<PersistentVolume>::all(client.clone());
    volumes.patch(&name, &apply(), &Patch::Apply(volume)).await.map(|_| ())
}

fn apply() -> PatchParams {
    PatchParams::apply(DRIVER).force()
}
