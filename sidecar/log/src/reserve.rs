//! Space set aside so that a full volume can still be drained: settlements, snapshots and
//! deletions need a little, and they are what frees the rest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::LogError;
use crate::vfs::Vfs;

const NAME: &str = "reserve";

/// The reserve file of a volume.
#[derive(Debug)]
pub(crate) struct Reserve {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    len: u64,
    held: bool,
}

impl Reserve {
    /// Takes the reserve if there is room for it.
    ///
    /// # Errors
    /// Of the disk, but for want of space: a full volume starts without a reserve.
    pub(crate) fn open(vfs: Arc<dyn Vfs>, dir: &Path, len: u64) -> Result<Self, LogError> {
        let mut reserve = Self { vfs, dir: dir.to_owned(), len, held: false };
        reserve.replenish()?;
        Ok(reserve)
    }

    /// Takes the space if it is not held and is there to take.
    pub(crate) fn replenish(&mut self) -> Result<(), LogError> {
        if self.held {
            return Ok(());
        }
        let path = self.dir.join(NAME);
        let names = self.vfs.list(&self.dir).map_err(LogError::io("list", &self.dir))?;
        let file = if names.iter().any(|name| name == NAME) {
            self.vfs.open(&path)
        } else {
            self.vfs.create(&path)
        };
        let taken = file
            .map_err(LogError::io("create", &path))
            .and_then(|file| file.allocate(self.len).map_err(LogError::io("allocate", &path)));
        match taken {
            Ok(()) => self.held = true,
            Err(LogError::Full) => {
                // What was allocated in part is needed elsewhere.
                self.vfs.remove(&path).ok();
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Gives the space up. `false` when there was none to give.
    pub(crate) fn release(&mut self) -> Result<bool, LogError> {
        if !std::mem::take(&mut self.held) {
            return Ok(false);
        }
        let path = self.dir.join(NAME);
        self.vfs.remove(&path).map_err(LogError::io("remove", &path))?;
        Ok(true)
    }
}
