//! A storage class whose volumes are real: each is an ext4 file system in a file of its own, of the
//! size that its claim asks for, and full when it is full.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::storage_driver::{Driver, class_of, requested, volume_name};
use crate::tool;

/// The class, which is the default.
const CLASS: &str = "standard";
/// Who makes its volumes.
const DRIVER: &str = "loop.lifeboat.test";
/// The scheduler's word that a claim's pod has a node.
const SELECTED: &str = "volume.kubernetes.io/selected-node";
/// The file of somebody who fills a disk.
const BALLAST: &str = "ballast";
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
        let driver = Driver { client, name: DRIVER };
        let more = json!({"volumeBindingMode": "WaitForFirstConsumer"});
        let made = driver.class(CLASS, true, more).await;
        made.map_err(Error::api("making a storage class"))?;
        Ok(Self { task: tokio::spawn(serve(driver, directory)) })
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(driver: Driver, directory: PathBuf) {
    let mut said = String::new();
    loop {
        // The API server may be away; the next look tells.
        let trouble = look(&driver, &directory).await.err().map(|error| error.to_string());
        let trouble = trouble.unwrap_or_default();
        if trouble != said && !trouble.is_empty() {
            eprintln!("disks: {trouble}");
        }
        said = trouble;
        tokio::time::sleep(LOOK).await;
    }
}

/// Makes what claims wait for, and removes what nobody claims any more.
async fn look(driver: &Driver, directory: &Path) -> Result<()> {
    let claims = Api::<PersistentVolumeClaim>::all(driver.client.clone());
    let claims = claims.list(&ListParams::default()).await.map_err(Error::api("listing claims"))?;
    for claim in &claims {
        let bound = claim.spec.as_ref().is_some_and(|spec| spec.volume_name.is_some());
        let wanted = class_of(claim) == Some(CLASS) && !bound;
        let deleted = claim.metadata.deletion_timestamp.is_some();
        if wanted && !deleted && claim.annotations().contains_key(SELECTED) {
            make(driver, directory, claim).await?;
        }
    }
    let used: HashSet<_> =
        claims.iter().filter_map(|claim| claim.spec.as_ref()?.volume_name.clone()).collect();
    let volumes = Api::<PersistentVolume>::all(driver.client.clone());
    let all = volumes.list(&ListParams::default()).await.map_err(Error::api("listing volumes"))?;
    for volume in &all {
        let released =
            volume.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Released");
        if released && !used.contains(&volume.name_any()) {
            remove(directory, &volume.name_any())?;
            volumes
                .delete(&volume.name_any(), &DeleteParams::default())
                .await
                .map_err(Error::api("deleting a volume"))?;
        }
    }
    Ok(())
}

async fn make(driver: &Driver, directory: &Path, claim: &PersistentVolumeClaim) -> Result<()> {
    let Some(size) = requested(claim) else { return Ok(()) };
    let name = volume_name(claim);
    let path = directory.join(&name);
    if !path.exists() {
        mount(directory, &name, &size.0)?;
    }
    let source = json!({
        "local": {"path": path},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [{
            "key": "kubernetes.io/hostname",
            "operator": "In",
            "values": [super::NAME],
        }]}]}},
    });
    driver.volume(claim, size, source).await.map_err(Error::api("making a volume"))
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

/// Writes into a volume until there is no space left, as anybody might who can; answers how much.
pub(super) fn fill(volume: &Path) -> Result<u64> {
    let failed = || Error::io("filling a disk");
    let mut file = File::create(volume.join(BALLAST)).map_err(failed())?;
    for chunk in [1 << 20, 4 << 10] {
        let zeros = vec![0; chunk];
        loop {
            match file.write_all(&zeros).and_then(|()| file.sync_data()) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(failed()(error)),
            }
        }
    }
    Ok(file.metadata().map_err(failed())?.len())
}

/// Takes that away again.
pub(super) fn empty(volume: &Path) -> Result<()> {
    fs::remove_file(volume.join(BALLAST)).map_err(Error::io("making room on a disk"))
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
