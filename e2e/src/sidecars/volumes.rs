//! A pod's volumes as directories of this machine.
//!
//! A claim's directory is its uid's: it outlives pods, and a claim that is deleted and made anew is
//! an empty volume. A ConfigMap is written as kubelet does it, the whole swapped by one symlink.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Volume};
use kube::{Api, Client, ResourceExt as _};

use crate::error::{Error, Result};

/// The symlink that is swapped.
const CURRENT: &str = "..data";

/// Where each volume is.
#[derive(Debug)]
pub(super) struct Volumes {
    paths: HashMap<String, PathBuf>,
    /// Volume and ConfigMap, and which version of it is there.
    maps: Vec<(PathBuf, String)>,
    versions: Mutex<HashMap<String, String>>,
}

impl Volumes {
    /// Makes those that are not there yet, below `root`. Other kinds than claims, ConfigMaps and
    /// empty directories are left out: nothing here mounts them.
    ///
    /// # Errors
    /// `Api` where a claim or a ConfigMap is not there; `Io`.
    pub(super) async fn mount(client: &Client, root: &Path, pod: &Pod) -> Result<Self> {
        let uid = pod.uid().unwrap_or_default();
        let own = root.join(uid.get(..8).unwrap_or(&uid));
        let mut volumes =
            Self { paths: HashMap::new(), maps: Vec::new(), versions: Mutex::default() };
        for volume in pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()) {
            let Some(path) = place(client, root, &own, pod, volume).await? else { continue };
            fs::create_dir_all(&path).map_err(Error::io("making a volume"))?;
            if let Some(map) = &volume.config_map {
                volumes.maps.push((path.clone(), map.name.clone()));
            }
            volumes.paths.insert(volume.name.clone(), path);
        }
        volumes.refresh(client, pod).await?;
        Ok(volumes)
    }

    /// Where the volume of this name is.
    pub(super) fn path(&self, name: &str) -> Option<&Path> {
        self.paths.get(name).map(PathBuf::as_path)
    }

    /// Writes ConfigMaps that have changed.
    ///
    /// # Errors
    /// `Api`, `Io`.
    pub(super) async fn refresh(&self, client: &Client, pod: &Pod) -> Result<()> {
        let namespace = pod.namespace().unwrap_or_default();
        let api = Api::<ConfigMap>::namespaced(client.clone(), &namespace);
        for (path, name) in &self.maps {
            let map = api.get(name).await.map_err(Error::api(format!("ConfigMap {name}")))?;
            let version = map.resource_version().unwrap_or_default();
            let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
            if versions.get(name) != Some(&version) {
                swap(path, &version, &map).map_err(Error::io(format!("ConfigMap {name}")))?;
                versions.insert(name.clone(), version);
            }
        }
        Ok(())
    }

    /// Volumes that are there already.
    #[cfg(test)]
    pub(super) fn fixed<const N: usize>(paths: [(&str, &str); N]) -> Self {
        let paths = paths.map(|(name, path)| (name.to_owned(), PathBuf::from(path)));
        Self { paths: paths.into(), maps: Vec::new(), versions: Mutex::default() }
    }
}

async fn place(
    client: &Client,
    root: &Path,
    own: &Path,
    pod: &Pod,
    volume: &Volume,
) -> Result<Option<PathBuf>> {
    if let Some(claim) = &volume.persistent_volume_claim {
        let namespace = pod.namespace().unwrap_or_default();
        let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &namespace);
        let what = format!("claim {}", claim.claim_name);
        let claim = claims.get(&claim.claim_name).await.map_err(Error::api(what))?;
        return Ok(Some(root.join(format!("claim-{}", claim.uid().unwrap_or_default()))));
    }
    let known = volume.empty_dir.is_some() || volume.config_map.is_some();
    Ok(known.then(|| own.join(&volume.name)))
}

/// As kubelet's atomic writer: a directory a version, `..data` pointing at the newest, and a link
/// for each key through it.
fn swap(path: &Path, version: &str, map: &ConfigMap) -> std::io::Result<()> {
    let directory = format!("..{version}");
    fs::create_dir_all(path.join(&directory))?;
    for (key, text) in map.data.iter().flatten() {
        fs::write(path.join(&directory).join(key), text)?;
        let link = path.join(key);
        if link.symlink_metadata().is_err() {
            symlink(Path::new(CURRENT).join(key), link)?;
        }
    }
    let next = path.join("..data_tmp");
    symlink(&directory, &next)?;
    let before = fs::read_link(path.join(CURRENT)).ok();
    fs::rename(next, path.join(CURRENT))?;
    before.map_or(Ok(()), |before| fs::remove_dir_all(path.join(before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_map_is_swapped_whole() {
        let directory = tempfile::tempdir().unwrap();
        let map = |text: &str| ConfigMap {
            data: Some([("queue.yaml".to_owned(), text.to_owned())].into()),
            ..ConfigMap::default()
        };
        for (version, text) in [("1", "one"), ("2", "two")] {
            swap(directory.path(), version, &map(text)).unwrap();
            let file = directory.path().join("queue.yaml");
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert!(file.is_symlink());
        }
        assert!(!directory.path().join("..1").exists());
    }
}
