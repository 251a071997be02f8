//! Kubernetes Events: what happened to a queue, once for each time that it happens.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::labels;
use crate::status::EventNote;

/// The longest text that the API server takes, in bytes.
const NOTE: usize = 1_024;

/// Writes Events. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Events {
    recorder: Recorder,
}

impl Events {
    /// Writes them in the name of this operator's pod.
    pub(crate) fn new(client: Client, pod: &str) -> Self {
        let controller = labels::MANAGER.to_owned();
        let reporter = Reporter { controller, instance: Some(pod.to_owned()) };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Writes `notes` about an object. One that cannot be written is logged: the status says the
    /// same, and lasts.
    pub(crate) async fn publish(&self, about: &ObjectReference, notes: &[EventNote]) {
        for note in notes {
            let type_ = if note.is_warning { EventType::Warning } else { EventType::Normal };
            let event = Event {
                type_,
                reason: note.reason.clone(),
                note: Some(shortened(&note.message).to_owned()),
                action: note.action.to_owned(),
                secondary: None,
            };
            if let Err(error) = self.recorder.publish(&event, about).await {
                tracing::warn!(%error, reason = event.reason, "an event could not be written");
            }
        }
    }
}

fn shortened(text: &str) -> &str {
    let end = (0..=NOTE.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = format!("{}é", "x".repeat(NOTE - 1));
        assert_eq!(shortened(&long).len(), NOTE - 1);
    }
}
