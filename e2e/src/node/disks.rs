//! A storage class whose volumes are real: each is an ext4 file system in a file of its own, of the
//! size that its claim asks for, and full when it is full.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::tool;

/// The class, which is the default.
const CLASS: &str = "standard";
/// Who makes its volumes.
const DRIVER: &str = "loop.lifeboat.test";
/// The scheduler's word that a claim's pod has a node.
const SELECTED: &str = "volume.kubernetes.io/selected-node";
/// Between two looks at the claims.
const LOOK: Duration = Duration::from_millis(300);

/// The driver, until it is dropped.
#[derive(Debug)]
pub(super) struct Disks {
    task: JoinHandle<()>,
}

impl Disks {
    /// Makes the class and serves its claims.
    ///
    /// # Errors
    /// `Api` where the class cannot be made.
    pub(super) async fn run(client: Client, directory: PathBuf) -> Result<Self> {
        let class = json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": CLASS,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": DRIVER,
            "volumeBindingMode": "WaitForFirstConsumer",
        });
        let classes = Api::<StorageClass>::all(client.clone());
        let made = classes.patch(CLASS, &apply(), &Patch::Apply(class)).await;
        made.map_err(Error::api("making a storage class"))?;
        Ok(Self { task: tokio::spawn(serve(client, directory)) })
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(client: Client, directory: PathBuf) {
    let mut said = String::new();
    loop {
        // The API server may be away; the next look tells.
        let trouble = look(&client, &directory).await.err().map(|error| error.to_string());
        let trouble = trouble.unwrap_or_default();
        if trouble != said && !trouble.is_empty() {
            eprintln!("disks: {trouble}");
        }
        said = trouble;
        tokio::time::sleep(LOOK).await;
    }
}

/// Makes what claims wait for, and removes what nobody claims any more.
async fn look(client: &Client, directory: &Path) -> Result<()> {
    let claims = Api::<PersistentVolumeClaim>::all(client.clone());
    let claims = claims.list(&ListParams::default()).await.map_err(Error::api("listing claims"))?;
    for claim in &claims {
        let wanted = claim.spec.as_ref().is_some_and(|spec| {
            spec.storage_class_name.as_deref() == Some(CLASS) && spec.volume_name.is_none()
        });
        let deleted = claim.metadata.deletion_timestamp.is_some();
        if wanted && !deleted && claim.annotations().contains_key(SELECTED) {
            make(client, directory, claim).await?;
        }
    }
    let used: HashSet<_> =
        claims.iter().filter_map(|claim| claim.spec.as_ref()?.volume_name.clone()).collect();
    let volumes = Api::<PersistentVolume>::all(client.clone());
    let all = volumes.list(&ListParams::default()).await.map_err(Error::api("listing volumes"))?;
    for volume in &all {
        let released =
            volume.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Released");
        if released && !used.contains(&volume.name_any()) {
            remove(directory, &volume.name_any())?;
            volumes
                .delete(&volume.name_any(), &kube::api::DeleteParams::default())
                .await
                .map_err(Error::api("deleting a volume"))?;
        }
    }
    Ok(())
}

async fn make(client: &Client, directory: &Path, claim: &PersistentVolumeClaim) -> Result<()> {
    let uid = claim.uid().unwrap_or_default();
    let name = format!("pvc-{uid}");
    let requests = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.clone());
    let Some(size) = requests.and_then(|requests| requests.get("storage").cloned()) else {
        return Ok(());
    };
    let path = directory.join(&name);
    if !path.exists() {
        mount(directory, &name, &size.0)?;
    }
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": claim.spec.as_ref().and_then(|spec| spec.access_modes.clone()),
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": CLASS,
            "local": {"path": path},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [{
                "key": "kubernetes.io/hostname",
                "operator": "In",
                "values": [super::NAME],
            }]}]}},
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
    let made = volumes.patch(&name, &apply(), &Patch::Apply(volume)).await;
    made.map(|_| ()).map_err(Error::api("making a volume"))
}

/// A file of this size with a file system in it, mounted. Only what is written takes space.
fn mount(directory: &Path, name: &str, size: &str) -> Result<()> {
    let image = directory.join(format!("{name}.ext4"));
    let bytes = bytes(size).ok_or_else(|| Error::Pod {
        pod: name.to_owned(),
        what: format!("{size} is no size that is known here"),
    })?;
    let file = File::create(&image).map_err(Error::io("making a disk"))?;
    file.set_len(bytes).map_err(Error::io("making a disk"))?;
    tool::run("mkfs.ext4", ["-q", "-m", "0", &image.to_string_lossy()])?;
    let path = directory.join(name);
    fs::create_dir_all(&path).map_err(Error::io("making a disk's mount point"))?;
    tool::run(
        "mount",
        ["-o", "loop,nodiscard", &image.to_string_lossy(), &path.to_string_lossy()],
    )?;
    Ok(())
}

fn remove(directory: &Path, name: &str) -> Result<()> {
    let path = directory.join(name);
    if path.exists() {
        tool::run("umount", [&path])?;
        fs::remove_dir(&path).map_err(Error::io("removing a disk's mount point"))?;
        let image = directory.join(format!("{name}.ext4"));
        fs::remove_file(image).map_err(Error::io("removing a disk"))?;
    }
    Ok(())
}

/// Of a quantity such as `1Gi`; sizes of disks are written in binary units.
fn bytes(size: &str) -> Option<u64> {
    let units = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40)];
    let (number, shift) = units
        .iter()
        .find_map(|(unit, shift)| Some((size.strip_suffix(unit)?, *shift)))
        .unwrap_or((size, 0));
    number.parse::<u64>().ok()?.checked_shl(shift)
}

fn apply() -> PatchParams {
    PatchParams::apply(DRIVER).force()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(bytes("64Mi"), Some(64 << 20));
        assert_eq!(bytes("10Gi"), Some(10 << 30));
        assert_eq!(bytes("4096"), Some(4096));
        assert_eq!(bytes("1.5G"), None);
    }
}
