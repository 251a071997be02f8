//! Validation: every problem of a parsed file at once, each with its field path.
//!
//! [`walk`] has the generic steps (types, known fields, ranges), [`fields`] the field names, and
//! each other module the rules of one part of the file. While they walk they leave behind what
//! they could read as [`facts`], on which [`cross`] checks the rules that join several fields.
//! Nothing here may repair a value or stop at the first problem.

mod cross;
mod delivery;
mod document;
mod facts;
mod fields;
mod ingress;
mod replicas;
mod retention;
mod socket;
mod spec;
mod stream;
mod suggest;
mod walk;

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::dataplane::Dataplane;
use crate::problem::{Problem, Problems};
use crate::resolve::resolve;
use crate::resource::Document;
use walk::Walk;

/// Checks a parsed file, a full PersistentQueue or the form that pods get, and resolves it.
///
/// # Errors
/// Every problem of the file, in the order of its fields, those that join several fields last.
pub fn validate_dataplane(tree: &Value) -> Result<Dataplane, Problems> {
    let mut walk = Walk::default();
    let facts = document::check(&mut walk, tree);
    cross::check(&mut walk, &facts);
    let (problems, ignored) = walk.finish();
    problems.into_result()?;
    let document = Document::deserialize(tree).map_err(|error| gap(&error.to_string()))?;
    Ok(resolve(document, ignored)?)
}

/// The names of the features that a parsed file uses: what a sidecar must list to take it. A default
/// that the file does not write is no use of it, for every version has its own.
pub fn features_in_use(tree: &Value) -> BTreeSet<&'static str> {
    let mut walk = Walk::default();
    document::check(&mut walk, tree);
    walk.used()
}

/// The walk let something pass that the types refuse: refused all the same, and our fault.
fn gap(error: &str) -> Problem {
    Problem::new(
        "",
        format!("{error} (this should have been reported with its field; please report it)"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_features_of_a_file_are_those_that_it_writes() {
        let tree = serde_json::json!({
            "spec": {
                "durability": {"sync": "Always"},
                "streams": [{
                    "ingress": [{"socket": "PULL", "connect": ["tcp://a:1"], "curve": {}}],
                    "deliveries": [{"socket": "ROUTER", "protocol": "Credit"}],
                    "retention": {"policy": "Latest", "onFull": "Nonsense"},
                }],
            },
        });
        let expected = [
            "delivery.protocol.Credit",
            "delivery.socket.ROUTER",
            "durability.sync.Always",
            "ingress.connect",
            "ingress.curve",
            "ingress.socket.PULL",
            "retention.policy.Latest",
        ];
        assert_eq!(features_in_use(&tree), expected.into());
        assert_eq!(features_in_use(&Value::Null), BTreeSet::new());
    }
}
