//! One claim's size: asked, had, and what stands in between.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimCondition};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Amount;
use lifeboat_api::Quantity;

use crate::plan::Step;

const STORAGE: &str = "storage";

/// Whether less is asked for than `bytes`. Only of a claim that is bound more can be asked.
pub(super) fn is_asked_less(claim: &PersistentVolumeClaim, bytes: u64) -> bool {
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    phase == Some("Bound")
        && claim.metadata.deletion_timestamp.is_none()
        && asked(claim).is_some_and(|asked| asked < bytes)
}

/// Whether the volume has `bytes`.
pub(super) fn has(claim: &PersistentVolumeClaim, bytes: u64) -> bool {
    capacity(claim).is_some_and(|capacity| capacity >= bytes)
}

/// Whether the volume is smaller than what is asked for.
pub(super) fn is_resizing(claim: &PersistentVolumeClaim) -> bool {
    matches!((asked(claim), capacity(claim)), (Some(asked), Some(has)) if has < asked)
}

/// Asks for `size`.
pub(super) fn grow(claim: &PersistentVolumeClaim, size: &Quantity) -> Option<Step> {
    let (claim, uid) = (claim.metadata.name.clone()?, claim.metadata.uid.clone()?);
    Some(Step::GrowClaim { claim, uid, size: size.to_string() })
}

/// What failed: the claim, and what is said about it.
pub(super) fn failure(claim: &PersistentVolumeClaim) -> Option<(String, String)> {
    let name = claim.metadata.name.clone()?;
    let errors = ["ControllerResizeError", "NodeResizeError"];
    if let Some(error) = errors.iter().find_map(|type_| condition(claim, type_)) {
        let message = error.message.clone().unwrap_or_else(|| error.type_.clone());
        return Some((name, message));
    }
    let statuses = claim.status.as_ref()?.allocated_resource_statuses.as_ref()?;
    let status = statuses.get(STORAGE)?;
    status.ends_with("Infeasible").then(|| (name, status.clone()))
}

/// What says that the file system waits to be grown; `None`: nothing does.
pub(super) fn pending(claim: &PersistentVolumeClaim) -> Option<&PersistentVolumeClaimCondition> {
    condition(claim, "FileSystemResizePending")
}

fn condition<'a>(
    claim: &'a PersistentVolumeClaim,
    type_: &str,
) -> Option<&'a PersistentVolumeClaimCondition> {
    let conditions = claim.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|it| it.type_ == type_ && it.status == "True")
}

fn asked(claim: &PersistentVolumeClaim) -> Option<u64> {
    let resources = claim.spec.as_ref()?.resources.as_ref()?;
    bytes(resources.requests.as_ref()?.get(STORAGE)?)
}

fn capacity(claim: &PersistentVolumeClaim) -> Option<u64> {
    bytes(claim.status.as_ref()?.capacity.as_ref()?.get(STORAGE)?)
}

fn bytes(amount: &Amount) -> Option<u64> {
    amount.0.parse::<Quantity>().ok().map(|quantity| quantity.bytes())
}
