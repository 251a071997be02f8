//! What a storage driver says in the API, wherever it stores: classes, and the volumes of claims.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

/// A driver of this name.
#[derive(Clone)]
pub(crate) struct Driver {
    pub(crate) client: Client,
    pub(crate) name: &'static str,
}

impl Driver {
    /// Makes a class whose volumes it provides; `more` is what else is so of it.
    pub(crate) async fn class(
        &self,
        name: &str,
        is_default: bool,
        more: Value,
    ) -> Result<(), kube::Error> {
        let is_default = is_default.to_string();
        let class = json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": name,
                "annotations": {"storageclass.kubernetes.io/is-default-class": is_default},
            },
            "provisioner": self.name,
        });
        let classes = Api::<StorageClass>::all(self.client.clone());
        let class = Patch::Apply(with(class, more));
        classes.patch(name, &self.apply(), &class).await.map(|_| ())
    }

    /// Makes the claim's volume, or makes it as large as this; `source` is where its bytes are.
    pub(crate) async fn volume(
        &self,
        claim: &PersistentVolumeClaim,
        size: &Quantity,
        source: Value,
    ) -> Result<(), kube::Error> {
        let name = volume_name(claim);
        let asked = claim.spec.clone().unwrap_or_default();
        let spec = json!({
            "capacity": {"storage": size},
            "accessModes": asked.access_modes,
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": asked.storage_class_name,
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim.namespace(),
                "name": claim.name_any(),
                "uid": claim.uid(),
            },
        });
        let volume = json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": self.name}},
            "spec": with(spec, source),
        });
        let volumes = Api::<PersistentVolume>::all(self.client.clone());
        volumes.patch(&name, &self.apply(), &Patch::Apply(volume)).await.map(|_| ())
    }

    fn apply(&self) -> PatchParams {
        PatchParams::apply(self.name).force()
    }
}

/// What the volume of a claim is called.
pub(crate) fn volume_name(claim: &PersistentVolumeClaim) -> String {
    format!("pvc-{}", claim.uid().unwrap_or_default())
}

/// How large a claim asks to be.
pub(crate) fn requested(claim: &PersistentVolumeClaim) -> Option<&Quantity> {
    claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage")
}

/// The class of a claim.
pub(crate) fn class_of(claim: &PersistentVolumeClaim) -> Option<&str> {
    claim.spec.as_ref()?.storage_class_name.as_deref()
}

/// Both objects in one.
fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}
