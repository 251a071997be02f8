//! Labels and annotations: which there are, and how those that people set are read.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use lifeboat_api::Problems;
use serde_json::{Value, json};

/// The label that says whose an object is: the queue's name. On everything that belongs to one.
pub const QUEUE: &str = "lifeboat.dev/queue";
/// The label that tells a queue's pods from all else; its value is [`REPLICA`].
pub const COMPONENT: &str = "lifeboat.dev/component";
/// The value of [`COMPONENT`] on a pod.
pub const REPLICA: &str = "replica";
/// The label of a pod that the client Service sends producers to; its value is [`TRUE`]. It is in
/// the pod template: the operator only takes it away and puts it back.
pub const ACCEPTING: &str = "lifeboat.dev/accepting";
/// The value of labels and annotations that are set or not.
pub const TRUE: &str = "true";
/// The label of a claim whose volume was proven drained: the volume's id.
pub const DRAINED: &str = "lifeboat.dev/drained";
/// The label by which Kubernetes tells who manages an object; its value is [`MANAGER`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`], also the field manager of what is applied.
pub const MANAGER: &str = "lifeboat-operator";
/// The label that a StatefulSet gives each pod: its ordinal.
pub const POD_INDEX: &str = "apps.kubernetes.io/pod-index";
/// The label that a StatefulSet gives each pod: its name.
pub const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";

/// The annotation of a pod template that stands for what only a restart applies.
pub const CONFIG_HASH: &str = "lifeboat.dev/config-hash";
/// The annotation of a queue: nothing is changed while it is `true`.
pub const PAUSED: &str = "lifeboat.dev/paused";
/// The annotation of a queue: the ordinals that take and deliver nothing.
pub const FENCED_REPLICAS: &str = "lifeboat.dev/fenced-replicas";
/// The annotation of a queue: the ordinal that goes although it is not drained.
pub const FORCE_SCALE_DOWN: &str = "lifeboat.dev/force-scale-down";
/// The annotation of a queue: the ordinals whose volume may be another than before.
pub const ACCEPT_NEW_LOG: &str = "lifeboat.dev/accept-new-log";
/// The annotation of a queue: it may be deleted with its backlog.
pub const ALLOW_DELETE: &str = "lifeboat.dev/allow-delete";
/// The annotation of a queue and of a pod template: a new value replaces the pods.
pub const RESTARTED_AT: &str = "lifeboat.dev/restartedAt";

/// The start of names that are ours alone.
const OURS: &str = "lifeboat.dev/";

/// What people ask of the operator by annotations of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Nothing is to be changed.
    pub paused: bool,
    /// These take and deliver nothing.
    pub fenced: BTreeSet<u32>,
    /// This one goes although it is not drained.
    pub force_scale_down: Option<u32>,
    /// The volumes of these may be others than before.
    pub accept_new_log: BTreeSet<u32>,
    /// A new value replaces the pods.
    pub restarted_at: Option<String>,
}

impl Requests {
    /// Reads the annotations; what is malformed is a problem at `metadata.annotations[NAME]`.
    pub fn read(annotations: &BTreeMap<String, String>, problems: &mut Problems) -> Self {
        let get = |name: &str| annotations.get(name).map(String::as_str);
        let mut at = |name: &str, message: String| {
            problems.push(format!("metadata.annotations[{name}]"), message);
        };
        let mut ordinals = |name: &str| match get(name).map_or(Ok(BTreeSet::new()), ordinals) {
            Ok(ordinals) => ordinals,
            Err(word) => {
                at(name, format!("{word:?} is no ordinal; expected a list such as \"0,2\""));
                BTreeSet::new()
            }
        };
        let (fenced, accept_new_log) = (ordinals(FENCED_REPLICAS), ordinals(ACCEPT_NEW_LOG));
        let force = ordinals(FORCE_SCALE_DOWN);
        if force.len() > 1 {
            at(FORCE_SCALE_DOWN, "names several ordinals; expected one, the highest".to_owned());
        }
        let paused = match get(PAUSED) {
            None | Some("false") => false,
            Some(TRUE) => true,
            Some(other) => {
                at(PAUSED, format!("{other:?} is unknown; expected \"true\" or \"false\""));
                // Whoever wrote it meant to stop something.
                true
            }
        };
        let restarted_at = get(RESTARTED_AT).map(str::to_owned);
        let force_scale_down = force.first().copied().filter(|_| force.len() == 1);
        Self { paused, fenced, force_scale_down, accept_new_log, restarted_at }
    }
}

/// `"0, 2"`; an empty text is an empty list.
fn ordinals(text: &str) -> Result<BTreeSet<u32>, String> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(|word| u32::from_str(word).map_err(|_| word.to_owned())).collect()
}

/// The labels of every object that is made for a queue.
pub fn of_objects(queue: &str) -> Value {
    json!({
        "app.kubernetes.io/name": "lifeboat",
        "app.kubernetes.io/instance": queue,
        MANAGED_BY: MANAGER,
        QUEUE: queue,
    })
}

/// The labels by which a queue's pods are selected; they never change.
pub fn selector(queue: &str) -> Value {
    json!({QUEUE: queue, COMPONENT: REPLICA})
}

/// [`selector`] as text, for autoscalers and list requests.
pub fn selector_text(queue: &str) -> String {
    format!("{QUEUE}={queue},{COMPONENT}={REPLICA}")
}

/// Whether a label or annotation is the operator's alone.
pub fn is_ours(name: &str) -> bool {
    name.starts_with(OURS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(annotations: &[(&str, &str)]) -> (Requests, String) {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut problems = Problems::default();
        let requests = Requests::read(&annotations.iter().map(own).collect(), &mut problems);
        (requests, problems.to_string())
    }

    #[test]
    fn annotations_are_read() {
        assert_eq!(read(&[("other", "x")]), (Requests::default(), String::new()));
        let (requests, problems) = read(&[
            (PAUSED, "true"),
            (FENCED_REPLICAS, "0, 2"),
            (FORCE_SCALE_DOWN, "3"),
            (ACCEPT_NEW_LOG, "1"),
            (RESTARTED_AT, "now"),
        ]);
        assert_eq!(problems, "");
        let expected = Requests {
            paused: true,
            fenced: [0, 2].into(),
            force_scale_down: Some(3),
            accept_new_log: [1].into(),
            restarted_at: Some("now".to_owned()),
        };
        assert_eq!(requests, expected);
    }

    #[test]
    fn what_is_malformed_is_told_and_does_nothing_but_pause() {
        let (requests, problems) =
            read(&[(PAUSED, "yes"), (FENCED_REPLICAS, "0,x"), (FORCE_SCALE_DOWN, "1,2")]);
        assert_eq!(requests, Requests { paused: true, ..Requests::default() });
        let lines: Vec<_> = problems.lines().collect();
        assert_eq!(lines.len(), 3, "{problems}");
        assert!(lines[0].starts_with("metadata.annotations[lifeboat.dev/fenced-replicas]: \"x\""));
    }
}
