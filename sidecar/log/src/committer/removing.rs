//! Removes a stream while the others go on, between two commits.

use super::Committer;
use crate::error::LogError;
use crate::fate::Refusal;
use crate::state::Op;
use crate::volume::{clear, copies_of};

impl Committer {
    /// Follows the orders to remove a stream.
    ///
    /// # Errors
    /// Of the journal: final.
    pub(super) fn remove_ordered(&mut self) -> Result<(), LogError> {
        let order = |this: &Self| {
            let mut logs = this.logs.iter().enumerate();
            logs.find_map(|(at, log)| Some((at, log.handle.removal().take()?)))
        };
        while let Some((at, fate)) = order(self) {
            let done = self.remove(at);
            match &done {
                Ok(()) => fate.decide(Ok(())),
                Err(LogError::Full) => fate.decide(Err(Refusal::NoSpace)),
                Err(_) => fate.decide(Err(Refusal::Poisoned)),
            }
            match done {
                Ok(()) | Err(LogError::Full) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes the stream whose records are in the log at `at`. It is gone for ever once the journal
    /// says so; what a crash leaves of its files is taken away by the next start.
    ///
    /// # Errors
    /// After `Full` it is as before.
    fn remove(&mut self, at: usize) -> Result<(), LogError> {
        let Some(log) = self.logs.get(at) else { return Ok(()) };
        let (dir, id) = (log.dir.clone(), log.handle.id());
        // Its dead letters and the copies of its ids lie below it.
        let of_stream = self.logs.iter().filter(|log| log.dir.starts_with(&dir));
        let ids = of_stream.map(|log| log.handle.id()).chain([copies_of(id)]);
        let ops: Vec<Op> = ids.map(|stream| Op::StreamRemoved { stream }).collect();
        self.append_ops(&ops)?;
        self.journal.sync()?;
        self.journal_synced();
        for mut log in self.logs.extract_if(.., |log| log.dir.starts_with(&dir)) {
            log.close(Refusal::Closed);
            log.handle.update(|view| {
                view.segments.clear();
                view.marks.log_start = view.marks.published_end;
                view.marks.disk_bytes = 0;
            });
        }
        if let Err(error) = clear(&*self.vfs, &dir) {
            tracing::warn!(dir = %dir.display(), %error, "files of a removed stream stay for now");
        }
        Ok(())
    }
}
