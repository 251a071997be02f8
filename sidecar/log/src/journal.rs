//! The state journal: one a volume, the durable form of [`State`].
//!
//! Every change is appended as a batch of operations and is durable after the next sync. Now and
//! then a snapshot of the whole state starts the next file, and what is older than the snapshot
//! before it is removed. Bytes are in FORMAT.md.
//!
//! The journal has one owner and does nothing on its own: no threads, no timers. When to sync, and
//! what has to wait for that, is the owner's to decide.
//!
//! - `codec`, `ops`, `snapshot`: bytes, pure
//! - `scan`: what the bytes of a file hold, pure
//! - `files`: names, and files that appear whole
//! - `recover`: opening what an earlier process left

mod codec;
mod files;
mod ops;
mod recover;
mod scan;
mod snapshot;

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::LogError;
use crate::ids::{VolumeId, random_salt};
use crate::state::{Op, State};
use crate::vfs::{File, Vfs, write_all_at};
use codec::{FILE_HEADER, FileHeader, Kind, Link, encode_batch};
use files::Files;
use recover::recover;
pub use recover::{JournalDamage, JournalRecovery};
pub(crate) use recover::{check_versions, inspect};

/// Sizes of the journal's files, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalOptions {
    /// A snapshot is due when a file has grown by this much, or by the size of the last snapshot
    /// if that is more. Half of what the journal takes on the disk at most, but for slack and
    /// snapshots.
    pub snapshot_bytes: u64,
    /// Space set aside in each file beyond that, if the disk has it.
    pub slack_bytes: u64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { snapshot_bytes: 4 << 20, slack_bytes: 256 << 10 }
    }
}

/// The open state journal of a volume.
#[derive(Debug)]
pub struct Journal {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    volume: VolumeId,
    options: JournalOptions,
    state: State,
    current: Current,
    poisoned: bool,
    /// Bytes of the batch that is being written, kept for its capacity.
    buffer: Vec<u8>,
}

/// The file that is appended to.
#[derive(Debug)]
struct Current {
    file: Arc<dyn File>,
    path: PathBuf,
    number: u64,
    salt: u64,
    /// Where the next batch goes: its link and its position.
    link: Link,
    end: u64,
    /// Batches that are durable.
    synced: u64,
    /// Whether a write failed and left bytes after `end`.
    torn: bool,
    /// Length at which the next snapshot is due.
    due_at: u64,
}

impl Journal {
    /// Opens the journal in `dir`, or makes a new one, and recovers the state.
    ///
    /// When this returns, all of [`Journal::state`] is durable: a snapshot of it was written, and
    /// appends go to a new file. It may be interrupted anywhere and done again.
    ///
    /// # Errors
    /// [`LogError::Full`] when there is no room for the new files; nothing is lost, and it can be
    /// tried again. [`LogError::Version`] for files of another volume or major version. Damage is
    /// no error: it is in the [`JournalRecovery`].
    pub fn open(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        volume: VolumeId,
        options: JournalOptions,
    ) -> Result<(Self, JournalRecovery), LogError> {
        vfs.create_dir(dir).map_err(LogError::io("create", dir))?;
        if let Some(parent) = dir.parent() {
            vfs.sync_dir(parent).map_err(LogError::sync(parent))?;
        }
        let found = recover(&*vfs, dir, volume)?;
        let start = Start { vfs: &*vfs, dir, volume, options };
        let current = start.files(found.number, found.link, &found.state)?;
        let journal = Self {
            vfs,
            dir: dir.to_owned(),
            volume,
            options,
            state: found.state,
            current,
            poisoned: false,
            buffer: Vec::new(),
        };
        Ok((journal, found.report))
    }

    /// Everything that was appended, durable or not.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Appends operations as one batch, and applies them to the state. Durable after a sync.
    ///
    /// # Errors
    /// [`LogError::Full`] and [`LogError::TooLarge`] change nothing, and the journal stays usable.
    /// Anything else poisons it.
    pub fn append(&mut self, ops: &[Op]) -> Result<(), LogError> {
        self.check()?;
        if ops.is_empty() {
            return Ok(());
        }
        let current = &mut self.current;
        self.buffer.clear();
        let link = encode_batch(&mut self.buffer, current.salt, current.link, current.synced, ops)?;
        let written = write_all_at(&*current.file, &mut [IoSlice::new(&self.buffer)], current.end);
        if let Err(error) = written {
            // The next batch goes to the same place; what it leaves of this one is no batch.
            current.torn = true;
            let error = LogError::io("write", &current.path)(error);
            return self.poison_unless_full(Err(error));
        }
        current.end += self.buffer.len() as u64;
        current.link = link;
        self.state.apply_all(ops);
        Ok(())
    }

    /// Whether something was appended that is not durable.
    pub fn dirty(&self) -> bool {
        self.current.synced < self.current.link.batches
    }

    /// The file to sync, for an owner that syncs it together with others and then calls
    /// [`Journal::mark_synced`] or [`Journal::poison`]. Another one after each snapshot.
    pub fn file(&self) -> Arc<dyn File> {
        Arc::clone(&self.current.file)
    }

    /// Says that [`Journal::file`] was synced successfully after the last append.
    pub fn mark_synced(&mut self) {
        self.current.synced = self.current.link.batches;
    }

    /// Says that a sync of [`Journal::file`] failed: from now on every call does.
    pub fn poison(&mut self) {
        self.poisoned = true;
    }

    /// Makes everything appended durable.
    ///
    /// # Errors
    /// Any error poisons the journal for good; it is never tried again, as a later success would
    /// prove nothing.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.check()?;
        if self.dirty() {
            let synced = self.current.file.sync_data();
            self.poison_unless_full(synced.map_err(LogError::sync(&self.current.path)))?;
            self.mark_synced();
        }
        Ok(())
    }

    /// Whether the file has grown enough for [`Journal::snapshot`].
    pub fn snapshot_due(&self) -> bool {
        self.current.end >= self.current.due_at
    }

    /// Makes everything appended durable, in a snapshot that starts the next file; then removes
    /// what is older than the snapshot before it.
    ///
    /// # Errors
    /// [`LogError::Full`] leaves the journal as it was, and the snapshot is due again after some
    /// growth. Anything else poisons it.
    pub fn snapshot(&mut self) -> Result<(), LogError> {
        self.check()?;
        let done = self.start_next_files();
        if let Err(LogError::Full) = done {
            self.current.due_at = self.current.end + self.options.snapshot_bytes;
        }
        self.poison_unless_full(done)
    }

    fn start_next_files(&mut self) -> Result<(), LogError> {
        let Current { file, path, end, .. } = &self.current;
        // A file that others follow must end where its last batch does, and be durable.
        if self.current.torn {
            file.truncate(*end).map_err(LogError::io("truncate", path))?;
            self.current.torn = false;
        }
        self.sync()?;
        let Self { vfs, dir, volume, options, .. } = self;
        let start = Start { vfs: &**vfs, dir, volume: *volume, options: *options };
        let number = self.current.number + 1;
        let next = start.files(number, self.current.link, &self.state)?;
        let last = std::mem::replace(&mut self.current, next);
        last.file.truncate(last.end).map_err(LogError::io("truncate", &last.path))?;
        Files::list(&*self.vfs, &self.dir)?.prune(&*self.vfs, &self.dir, last.number)
    }

    fn check(&self) -> Result<(), LogError> {
        if self.poisoned { Err(LogError::Poisoned) } else { Ok(()) }
    }

    fn poison_unless_full(&mut self, result: Result<(), LogError>) -> Result<(), LogError> {
        self.poisoned |= !matches!(result, Ok(()) | Err(LogError::Full));
        result
    }
}

/// What the first files of a number need to come into being.
struct Start<'a> {
    vfs: &'a dyn Vfs,
    dir: &'a Path,
    volume: VolumeId,
    options: JournalOptions,
}

impl Start<'_> {
    /// Makes a snapshot of `state` and an empty journal after it, both durable.
    ///
    /// All space is taken under temporary names, so [`LogError::Full`] leaves no trace. From the
    /// first new name on nothing may be appended to an older journal: want of space for the second
    /// one is no [`LogError::Full`].
    fn files(&self, number: u64, previous: Link, state: &State) -> Result<Current, LogError> {
        let snapshot = self.dir.join(files::snapshot(number));
        let journal = self.dir.join(files::journal(number));
        let made = self.temporaries(number, previous, state, &snapshot, &journal);
        let made = made.and_then(|current| {
            files::publish(self.vfs, &journal).map_err(LogError::io("rename", &journal))?;
            Ok(current)
        });
        if let Err(LogError::Full) = made {
            files::remove_if_there(self.vfs, &files::temporary(&snapshot))?;
            files::remove_if_there(self.vfs, &files::temporary(&journal))?;
        }
        let current = made?;
        files::publish(self.vfs, &snapshot).map_err(LogError::fatal("rename", &snapshot))?;
        self.vfs.sync_dir(self.dir).map_err(LogError::sync(self.dir))?;
        Ok(current)
    }

    fn temporaries(
        &self,
        number: u64,
        previous: Link,
        state: &State,
        snapshot: &Path,
        journal: &Path,
    ) -> Result<Current, LogError> {
        let header = self.header(Kind::Snapshot, number, previous)?;
        let bytes = snapshot::encode(&header, state)?;
        files::create_temporary(self.vfs, snapshot, &bytes, 0)?;

        let header = self.header(Kind::Journal, number, previous)?;
        let due_at = FILE_HEADER as u64 + self.options.snapshot_bytes.max(bytes.len() as u64);
        let reserve = due_at + self.options.slack_bytes;
        let file = files::create_temporary(self.vfs, journal, &header.encode(), reserve)?;
        Ok(Current {
            file,
            path: journal.to_owned(),
            number,
            salt: header.salt,
            link: header.start(),
            end: FILE_HEADER as u64,
            synced: 0,
            torn: false,
            due_at,
        })
    }

    fn header(&self, kind: Kind, number: u64, previous: Link) -> Result<FileHeader, LogError> {
        let salt = random_salt().map_err(LogError::io("draw a salt for", self.dir))?;
        Ok(FileHeader { kind, volume: self.volume, number, salt, previous })
    }
}
