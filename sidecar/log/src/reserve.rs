//! Space set aside so that a full volume can still be drained, and opened: settlements, snapshots
//! and deletions need a little, and they are what frees the rest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::LogError;
use crate::vfs::{File, Vfs, remove_if_there};

const NAME: &str = "reserve";
/// File systems give space out in blocks of about this size.
const BLOCK: u64 = 4096;

/// The reserve file of a volume.
#[derive(Debug)]
pub(crate) struct Reserve {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    /// Bytes wanted.
    len: u64,
    /// Bytes held.
    held: u64,
    /// Bytes that are not for now: without them the next start would find no space.
    kept: u64,
}

impl Reserve {
    /// The reserve as an earlier process left it.
    pub(crate) fn find(vfs: Arc<dyn Vfs>, dir: &Path, len: u64) -> Result<Self, LogError> {
        let mut reserve = Self { vfs, dir: dir.to_owned(), len, held: 0, kept: 0 };
        if reserve.is_there()? {
            let path = reserve.path();
            let file = reserve.vfs.open(&path).map_err(LogError::io("open", &path))?;
            let held = file.len().map_err(LogError::io("read", &path))?;
            // A power cut may have kept its length and not its space.
            reserve.allocate(&*file, held)?;
        }
        Ok(reserve)
    }

    /// The volume is open. From now on a quarter is for the next opening alone, which needs little,
    /// and gives it back.
    ///
    /// # Errors
    /// As [`Self::replenish`].
    pub(crate) fn opened(&mut self) -> Result<(), LogError> {
        self.kept = self.len / 4 / BLOCK * BLOCK;
        self.replenish()
    }

    /// Takes what is missing of the space, or as much of it as there is.
    ///
    /// # Errors
    /// Of the disk, but for want of space.
    pub(crate) fn replenish(&mut self) -> Result<(), LogError> {
        if self.held >= self.len {
            return Ok(());
        }
        let space = self.vfs.space(&self.dir).map_err(LogError::io("look at", &self.dir))?;
        let within_reach = self.held.saturating_add(space.available);
        let wanted = self.len.min(within_reach / BLOCK * BLOCK);
        if wanted <= self.held {
            return Ok(());
        }
        let path = self.path();
        let there = self.is_there()?;
        let file = if there { self.vfs.open(&path) } else { self.vfs.create(&path) };
        match file.map_err(LogError::io("create", &path)) {
            Ok(file) => self.allocate(&*file, wanted),
            Err(LogError::Full) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes sure of the file's space, or gives it up: what was allocated in part is needed
    /// elsewhere.
    fn allocate(&mut self, file: &dyn File, len: u64) -> Result<(), LogError> {
        let path = self.path();
        let taken = if len == 0 { Ok(()) } else { file.allocate(len) };
        match taken.map_err(LogError::io("allocate", &path)) {
            Ok(()) => self.held = len,
            Err(LogError::Full) => {
                remove_if_there(&*self.vfs, &path).map_err(LogError::io("remove", &path))?;
                self.held = 0;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Gives the space up. `false` when there was none to give.
    fn release(&mut self) -> Result<bool, LogError> {
        if self.held <= self.kept {
            return Ok(false);
        }
        let path = self.path();
        if self.kept == 0 {
            self.vfs.remove(&path).map_err(LogError::io("remove", &path))?;
        } else {
            let cut = self.vfs.open(&path).and_then(|file| file.truncate(self.kept));
            cut.map_err(LogError::io("truncate", &path))?;
        }
        self.held = self.kept;
        Ok(true)
    }

    /// Does something that may need the reserve's space.
    pub(crate) fn lend<T>(
        &mut self,
        mut attempt: impl FnMut() -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        match attempt() {
            Err(LogError::Full) if self.release()? => attempt(),
            result => result,
        }
    }

    fn is_there(&self) -> Result<bool, LogError> {
        let names = self.vfs.list(&self.dir).map_err(LogError::io("list", &self.dir))?;
        Ok(names.iter().any(|name| name == NAME))
    }

    fn path(&self) -> PathBuf {
        self.dir.join(NAME)
    }
}
