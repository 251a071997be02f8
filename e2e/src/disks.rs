//! A storage class whose volumes exist in the API alone: claims are bound and grow as if a driver
//! made them. What a pod would write there is the test's business.

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::storage_driver::{Driver, class_of, requested};

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
        let driver = Driver { client, name: DRIVER };
        for (name, growable) in [(CLASS, true), (RIGID_CLASS, false)] {
            let more = json!({"allowVolumeExpansion": growable});
            let made = driver.class(name, name == CLASS, more).await;
            made.map_err(Error::api("making a storage class"))?;
        }
        Ok(Self { task: tokio::spawn(serve(driver)) })
    }
}

impl Drop for FakeDisks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(driver: Driver) {
    let claims = Api::<PersistentVolumeClaim>::all(driver.client.clone());
    let events = watcher(claims, watcher::Config::default()).default_backoff();
    let mut claims = events.applied_objects().boxed();
    while let Some(claim) = claims.next().await {
        match claim {
            Ok(claim) => {
                while let Err(error) = provide(&driver, &claim).await {
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
async fn provide(driver: &Driver, claim: &PersistentVolumeClaim) -> Result<(), kube::Error> {
    let (Some(spec), Some(status)) = (&claim.spec, &claim.status) else { return Ok(()) };
    let (Some(class), Some(size)) = (class_of(claim), requested(claim)) else { return Ok(()) };
    let deleted = claim.metadata.deletion_timestamp.is_some();
    if deleted || ![CLASS, RIGID_CLASS].contains(&class) {
        return Ok(());
    }
    if spec.volume_name.is_none() {
        return volume(driver, claim, size).await;
    }
    let has = status.capacity.as_ref().and_then(|capacity| capacity.get("storage"));
    if has.is_none_or(|has| has == size) {
        return Ok(());
    }
    volume(driver, claim, size).await?;
    let namespace = claim.namespace().unwrap_or_default();
    let claims = Api::<PersistentVolumeClaim>::namespaced(driver.client.clone(), &namespace);
    let grown = json!({
        "metadata": {"uid": claim.uid()},
        "status": {"capacity": {"storage": size}},
    });
    let name = claim.name_any();
    claims.patch_status(&name, &PatchParams::default(), &Patch::Merge(grown)).await.map(|_| ())
}

/// Makes the claim's volume, or makes it as large as the claim asks.
async fn volume(
    driver: &Driver,
    claim: &PersistentVolumeClaim,
    size: &Quantity,
) -> Result<(), kube::Error> {
    let source = json!({"csi": {"driver": DRIVER, "volumeHandle": claim.uid()}});
    driver.volume(claim, size, source).await
}
