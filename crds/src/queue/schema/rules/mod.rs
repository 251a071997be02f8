//! What no single value can tell: rules in CEL that the API server checks, by their place.
//!
//! Each message names its field and says what to write instead. A rule that the validator has too
//! refuses nothing that the validator accepts (`crds/tests/rules`); what only the validator
//! knows, such as what this version lacks, is left to it.

mod operator;
mod queue;
mod sockets;
mod streams;

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use crate::duration::format_duration;

/// One rule.
pub(super) struct Rule {
    /// Where `self` is.
    pub(super) at: &'static str,
    condition: String,
    message: String,
}

impl Rule {
    fn new(at: &'static str, condition: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at, condition: condition.into(), message: message.into() }
    }

    /// As an item of `x-kubernetes-validations`.
    pub(super) fn to_json(&self) -> Value {
        json!({"rule": self.condition, "message": self.message})
    }
}

/// Every rule.
pub(super) fn all() -> Vec<Rule> {
    let mut rules = queue::rules();
    rules.extend(streams::rules());
    rules.extend(sockets::rules());
    rules.extend(operator::rules());
    rules
}

/// `field` is what it was: neither changed nor added nor taken away.
fn unchanged(at: &'static str, field: &str) -> Rule {
    let rule = format!(
        "has(self.{field}) == has(oldSelf.{field}) && \
         (!has(self.{field}) || self.{field} == oldSelf.{field})"
    );
    let message = format!("{field} cannot change; write it as it was");
    Rule::new(at, rule, message)
}

/// Whether the text `it` is an endpoint on every interface, as it is usually written.
fn on_every_interface(it: &str) -> String {
    let hosts = ["*", "0.0.0.0", "[::]"];
    hosts.map(|host| format!("{it}.startsWith('tcp://{host}:')")).join(" || ")
}

/// A duration is in `range`.
fn within(at: &'static str, field: &str, range: &RangeInclusive<Duration>) -> Rule {
    let [least, most] = [range.start(), range.end()].map(|bound| format_duration(*bound));
    let rule =
        format!("duration(self) >= duration('{least}') && duration(self) <= duration('{most}')");
    Rule::new(at, rule, format!("{field} is out of range; expected {least} to {most}"))
}
