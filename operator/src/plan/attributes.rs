//! The claims' volume attributes class: what the queue asks for is asked of the claims that exist, as
//! growth does with their size. The driver does it, under pods that run; a claim keeps its class
//! where the queue names none.

use std::time::Duration;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;

use super::Step;
use super::memory::{Memory, Since};
use super::view::{View, elapsed};

/// A claim that has not taken its class on after so long is not asked again: the API server does
/// not keep the field, or somebody else changes it back.
const PATIENCE: Duration = Duration::from_secs(60);

/// The change of the claims' volume attributes class under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attributes {
    /// The driver is at it: the class.
    Changing(String),
    /// It could not.
    Failed {
        /// The claim.
        claim: String,
        /// The class.
        class: String,
        /// What is said about it.
        message: String,
    },
}

/// What the claims' classes ask for now.
pub(super) fn attributes(view: &View<'_>, memory: &mut Memory) -> (Option<Attributes>, Vec<Step>) {
    let Some(class) = &view.queue.claim.volume_attributes_class_name else {
        return (None, Vec::new());
    };
    let (mut changing, mut failed, mut steps) = (false, None, Vec::new());
    for (ordinal, replica) in &view.observed.replicas {
        let Some(claim) = replica.claim.as_ref().filter(|claim| is_bound(claim)) else { continue };
        let Some((name, uid)) = claim.metadata.name.clone().zip(claim.metadata.uid.clone()) else {
            continue;
        };
        let mut fails = |message: String| {
            let (claim, class) = (name.clone(), class.clone());
            failed.get_or_insert(Attributes::Failed { claim, class, message });
        };
        let asked = claim.spec.as_ref().and_then(|it| it.volume_attributes_class_name.as_ref());
        if asked == Some(class) {
            memory.over(Since::Attributes(*ordinal));
            match said(claim, class) {
                Some(Said::AtIt) => changing = true,
                Some(Said::Cannot(message)) => fails(message),
                None => {}
            }
            continue;
        }
        let since = memory.since(Since::Attributes(*ordinal), view.now);
        if elapsed(since, view.now) >= PATIENCE {
            fails("the API server does not keep spec.volumeAttributesClassName".to_owned());
            continue;
        }
        steps.push(Step::SetAttributes { claim: name, uid, class: class.clone() });
    }
    let changing = (changing || !steps.is_empty()).then(|| Attributes::Changing(class.clone()));
    (failed.or(changing), steps)
}

/// What is said about the change of a claim to its class.
enum Said {
    AtIt,
    Cannot(String),
}

fn said(claim: &PersistentVolumeClaim, class: &str) -> Option<Said> {
    let status = claim.status.as_ref()?;
    let modify = status.modify_volume_status.as_ref();
    let modify = modify.filter(|it| {
        it.target_volume_attributes_class_name.as_deref().is_none_or(|target| target == class)
    })?;
    let error = status
        .conditions
        .iter()
        .flatten()
        .find(|it| it.type_ == "ModifyVolumeError" && it.status == "True");
    if let Some(message) = error.and_then(|error| error.message.clone()) {
        return Some(Said::Cannot(message));
    }
    Some(if modify.status == "Infeasible" {
        Said::Cannot("Infeasible".to_owned())
    } else {
        Said::AtIt
    })
}

/// Nothing can be asked of a claim before it is bound.
fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    phase == Some("Bound") && claim.metadata.deletion_timestamp.is_none()
}
