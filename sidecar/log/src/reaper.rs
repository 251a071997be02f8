//! Removes files in the background: giving a large file's space and cached pages back takes
//! milliseconds, and the writer thread has none to spare.

use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, OnceLock};
use std::thread;

use crate::vfs::File;

/// A file that nothing needs any more.
struct Doomed {
    path: PathBuf,
    /// What may be the last handle on it, and so what keeps its space.
    handle: Option<Arc<dyn File>>,
}

/// One thread, started with the first file; it ends with the reaper.
#[derive(Debug, Default)]
pub(crate) struct Reaper {
    doomed: OnceLock<Sender<Doomed>>,
}

impl Reaper {
    /// Removes `path` soon. A failure leaves it to the next start.
    pub(crate) fn remove(&self, path: PathBuf, handle: Option<Arc<dyn File>>) {
        let doomed = self.doomed.get_or_init(start);
        if let Err(mpsc::SendError(doomed)) = doomed.send(Doomed { path, handle }) {
            // No thread could be started: slower, not wrong.
            reap(doomed);
        }
    }
}

fn start() -> Sender<Doomed> {
    let (sender, receiver) = mpsc::channel();
    // A thread that cannot be started drops the receiver, and the caller reaps by itself.
    let _ = thread::Builder::new()
        .name("reaper".into())
        .spawn(move || receiver.into_iter().for_each(reap));
    sender
}

fn reap(doomed: Doomed) {
    if let Err(error) = std::fs::remove_file(&doomed.path) {
        tracing::debug!(path = %doomed.path.display(), %error, "left to the next start");
    }
    drop(doomed.handle);
}
