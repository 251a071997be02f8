//! What a verb's work is given besides its arguments: the way to tell its caller something while
//! it works, and when to end.

use serde::Serialize;
use tokio::sync::mpsc;

use super::wire::{Code, Line, Progress, VerbError};
use crate::stop::Stop;

/// One request being worked on.
#[derive(Debug, Clone)]
pub struct Call {
    lines: mpsc::Sender<Line>,
    stop: Stop,
}

impl Call {
    pub(super) fn new(lines: mpsc::Sender<Line>, stop: Stop) -> Self {
        Self { lines, stop }
    }

    /// Hands over one of the things that the verb lists, as fast as the caller takes them.
    ///
    /// # Errors
    /// The caller is gone, or the item cannot be written as JSON.
    pub async fn item(&self, item: &impl Serialize) -> Result<(), VerbError> {
        let item = serde_json::to_value(item).map_err(|error| failed(&error))?;
        self.lines.send(Line::Item(item)).await.map_err(|_| failed(&"the caller is gone"))
    }

    /// Says how far the work has come, if the caller still listens: what changes something is done
    /// to its end all the same.
    pub async fn progress(&self, done: u64, of: u64) {
        // A caller that is gone does not want to know.
        let _ = self.lines.send(Line::Progress(Progress { done, of })).await;
    }

    /// Completes when nobody waits for the answer any more: the caller is gone, or the sidecar
    /// stops. Cancel-safe.
    pub async fn over(&self) {
        let mut stop = self.stop.clone();
        tokio::select! {
            () = self.lines.closed() => {}
            () = stop.ordered() => {}
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> VerbError {
    VerbError::new(Code::Failed, error)
}
