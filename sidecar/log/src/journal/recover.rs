//! Opens what an earlier process left: snapshot, journals after it, repairs.
//!
//! Nothing that is still needed is changed, and every step may be interrupted and done again:
//! torn tails are cut, damaged bytes copied aside, older files removed. The caller then starts
//! new files from the result; it never appends to a file found here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::codec::{FILE_HEADER, FileHeader, HeaderError, Kind, Link, VERSION};
use super::files::{self, Files, QUARANTINE};
use super::scan::{Scan, scan};
use super::snapshot::{self, SnapshotError};
use crate::error::{Corruption, LogError, is_out_of_space};
use crate::ids::VolumeId;
use crate::state::State;
use crate::vfs::{self, File, Vfs, read_exact_at};

/// Number of the first files of a journal.
const FIRST: u64 = 1;

/// Bytes of the journal that were synced and are not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalDamage {
    /// The file.
    pub path: PathBuf,
    /// Position of the first byte in doubt.
    pub position: u64,
    /// How many bytes are in doubt; 0 when something is missing.
    pub len: u64,
    /// What is wrong.
    pub kind: Corruption,
}

impl From<JournalDamage> for LogError {
    fn from(damage: JournalDamage) -> Self {
        Self::Corrupt { path: damage.path, position: damage.position, kind: damage.kind }
    }
}

/// What opening the journal found. Whatever is lost here means redelivery, never loss.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalRecovery {
    /// Number of the snapshot that was read; `None` in a new journal, or if none was valid.
    pub snapshot: Option<u64>,
    /// Batches read after it.
    pub batches: u64,
    /// Bytes that no sync had covered, cut off: no damage.
    pub discarded_tail_bytes: u64,
    /// Damage found now. The caller reports it.
    pub damaged: Vec<JournalDamage>,
    /// Files in `quarantine/`, from earlier times too, until somebody removes them.
    pub quarantine: Vec<String>,
}

/// Where the caller goes on.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) state: State,
    /// Number for the next files.
    pub(super) number: u64,
    /// Where the last journal ended.
    pub(super) link: Link,
    pub(super) report: JournalRecovery,
}

pub(super) fn recover(vfs: &dyn Vfs, dir: &Path, volume: VolumeId) -> Result<Recovered, LogError> {
    // After a kill there may be names that the disk does not have yet, and the files to come must
    // not become durable without those that they follow.
    vfs.sync_dir(dir).map_err(LogError::sync(dir))?;
    let files = Files::list(vfs, dir)?;
    let report = JournalRecovery::default();
    let mut recovery = Recovery { vfs, dir, volume, state: State::default(), report };
    for name in &files.temporaries {
        files::remove_if_there(vfs, &dir.join(name))?;
    }
    let base = recovery.read_newest_snapshot(&files)?;
    let link = recovery.read_journals(&files, base)?;
    // A snapshot without journal, left by a power cut between the two, is made again, equal, with
    // its journal: the numbers of journals have no holes.
    let after_journals = files.journals.last().map_or(FIRST, |last| last.saturating_add(1));
    let number = files.snapshots.last().copied().unwrap_or(FIRST).max(after_journals);
    // Two snapshots stay, the one to come included; the other is the one that was read just now,
    // or the one before if that is made again.
    let stays = base.map_or(0, |(base, _)| base);
    let before = files.snapshots.range(..number.min(stays + 1)).next_back();
    files.prune(vfs, dir, before.copied().unwrap_or(stays))?;
    recovery.report.quarantine = recovery.list_quarantine()?;
    Ok(Recovered { state: recovery.state, number, link, report: recovery.report })
}

/// What a start would find, on a disk that forgets what is written to it.
pub(crate) fn inspect(
    vfs: &dyn Vfs,
    dir: &Path,
    volume: VolumeId,
) -> Result<(State, JournalRecovery), LogError> {
    recover(vfs, dir, volume).map(|found| (found.state, found.report))
}

/// Looks at what each file says of its version.
///
/// # Errors
/// `Version` for the first that this version does not read; of the disk.
pub(crate) fn check_versions(vfs: &dyn Vfs, dir: &Path) -> Result<(), LogError> {
    let files = Files::list(vfs, dir)?;
    let journals = files.journals.iter().map(|&number| (files::journal(number), Kind::Journal));
    let snapshots = files.snapshots.iter();
    let snapshots = snapshots.map(|&number| (files::snapshot(number), Kind::Snapshot));
    for (name, kind) in journals.chain(snapshots) {
        let path = dir.join(name);
        let mut header = vec![0; FILE_HEADER];
        let file = vfs.open_read(&path).map_err(LogError::io("open", &path))?;
        file.read_at(&mut header, 0).map_err(LogError::io("read", &path))?;
        if let Err(HeaderError::Version(major, minor)) = FileHeader::decode(&header, kind) {
            return Err(version(&path, major, minor));
        }
    }
    Ok(())
}

struct Recovery<'a> {
    vfs: &'a dyn Vfs,
    dir: &'a Path,
    volume: VolumeId,
    state: State,
    report: JournalRecovery,
}

impl Recovery<'_> {
    /// Takes the state from the newest valid snapshot; returns its number and where the journal
    /// before it ended.
    fn read_newest_snapshot(&mut self, files: &Files) -> Result<Option<(u64, Link)>, LogError> {
        for &number in files.snapshots.iter().rev() {
            let path = self.dir.join(files::snapshot(number));
            let (_, bytes) = self.read(&path)?;
            let (position, kind) = match snapshot::decode(&bytes) {
                Ok((header, _)) if header.number != number => (0, Corruption::FileHeader),
                Ok((header, state)) => {
                    self.check_volume(&header, &path)?;
                    self.state = state;
                    self.report.snapshot = Some(number);
                    return Ok(Some((number, header.previous)));
                }
                Err(SnapshotError::Header(HeaderError::Version(major, minor))) => {
                    return Err(version(&path, major, minor));
                }
                Err(SnapshotError::Header(HeaderError::Damaged)) => (0, Corruption::FileHeader),
                Err(SnapshotError::Damaged(position, kind)) => (position, kind),
            };
            self.damaged(&path, position, bytes.len() - position.min(bytes.len()), kind);
            self.set_aside(&files::snapshot(number), &bytes)?;
        }
        // The first journal of all starts from nothing.
        if let Some(&first) = files.journals.first()
            && first > FIRST
        {
            self.damaged(&self.dir.join(files::snapshot(first)), 0, 0, Corruption::Missing);
        }
        Ok(None)
    }

    /// Adds what the journals after the snapshot say; returns where the last one ended.
    fn read_journals(
        &mut self,
        files: &Files,
        base: Option<(u64, Link)>,
    ) -> Result<Link, LogError> {
        let (first, mut previous) = match (base, files.journals.first()) {
            (Some((number, previous)), _) => (number, Some(previous)),
            (None, Some(&first)) if first > FIRST => (first, None),
            _ => (FIRST, Some(Link::default())),
        };
        let mut expected = first;
        for &number in files.journals.range(first..) {
            if number != expected {
                self.missing(expected);
                previous = None;
            }
            let sealed = number < files.last();
            previous = self.read_journal(number, sealed, previous)?;
            expected = number.saturating_add(1);
        }
        if expected < files.last() {
            self.missing(expected);
        }
        Ok(previous.unwrap_or_default())
    }

    /// Adds what one journal says. `sealed`: later files exist, so all of it was synced.
    /// Returns where it ended, if its header tells what is in it.
    fn read_journal(
        &mut self,
        number: u64,
        sealed: bool,
        previous: Option<Link>,
    ) -> Result<Option<Link>, LogError> {
        let name = files::journal(number);
        let path = self.dir.join(&name);
        let (file, bytes) = self.read(&path)?;
        let header = match FileHeader::decode(&bytes, Kind::Journal) {
            Ok(header) if header.number == number => header,
            Err(HeaderError::Version(major, minor)) => return Err(version(&path, major, minor)),
            _ => {
                let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                self.damaged(&path, 0, used, Corruption::FileHeader);
                self.set_aside(&name, bytes.get(..used).unwrap_or_default())?;
                return Ok(None);
            }
        };
        self.check_volume(&header, &path)?;
        if previous.is_some_and(|link| link != header.previous) {
            self.damaged(&path, 0, 0, Corruption::Chain);
        }
        let scan = scan(&bytes, &header, sealed);
        self.apply(&path, &scan);
        for gap in &scan.gaps {
            self.damaged(&path, gap.bytes.start, gap.bytes.len(), gap.kind);
            let lost = bytes.get(gap.bytes.clone()).unwrap_or_default();
            self.set_aside(&format!("{name}.{}", gap.bytes.start), lost)?;
        }
        if sealed && scan.tail > 0 {
            self.damaged(&path, scan.end, scan.tail, scan.tail_kind);
            let tail = bytes.get(scan.end..scan.end + scan.tail).unwrap_or_default();
            self.set_aside(&format!("{name}.{}", scan.end), tail)?;
        } else if !sealed {
            self.report.discarded_tail_bytes += scan.tail as u64;
            if scan.end < bytes.len() {
                file.truncate(scan.end as u64).map_err(LogError::io("truncate", &path))?;
            }
            // After a kill the cache shows more than the disk has.
            file.sync_data().map_err(LogError::sync(&path))?;
        }
        Ok(Some(scan.link))
    }

    fn apply(&mut self, path: &Path, scan: &Scan<'_>) {
        for (position, batch) in &scan.batches {
            match batch.ops() {
                Some(ops) => self.state.apply_all(&ops),
                None => self.damaged(path, *position, batch.len, Corruption::Content),
            }
        }
        self.report.batches += scan.batches.len() as u64;
    }

    /// A file as the disk has it: pages that a failed sync left in the cache are dropped first.
    fn read(&self, path: &Path) -> Result<(Arc<dyn File>, Vec<u8>), LogError> {
        let file = self.vfs.open(path).map_err(LogError::io("open", path))?;
        let read = || {
            let uncached = self.vfs.open_uncached(path)?;
            let mut bytes =
                vec![0; usize::try_from(uncached.len()?).map_err(std::io::Error::other)?];
            read_exact_at(&*uncached, &mut bytes, 0)?;
            Ok(bytes)
        };
        let bytes = read().map_err(LogError::io("read", path))?;
        Ok((file, bytes))
    }

    fn check_volume(&self, header: &FileHeader, path: &Path) -> Result<(), LogError> {
        if header.volume == self.volume {
            return Ok(());
        }
        let reason = format!("belongs to volume {}, not to {}", header.volume, self.volume);
        Err(LogError::Version { path: path.to_owned(), reason })
    }

    fn damaged(&mut self, path: &Path, position: usize, len: usize, kind: Corruption) {
        let (path, position, len) = (path.to_owned(), position as u64, len as u64);
        self.report.damaged.push(JournalDamage { path, position, len, kind });
    }

    fn missing(&mut self, number: u64) {
        self.damaged(&self.dir.join(files::journal(number)), 0, 0, Corruption::Missing);
    }

    /// Copies damaged bytes into quarantine, for whoever wants to know what happened. A full
    /// disk must not keep the journal from opening, so there the copy is left out.
    fn set_aside(&self, name: &str, bytes: &[u8]) -> Result<(), LogError> {
        let quarantine = self.dir.join(QUARANTINE);
        let copy = || {
            self.vfs.create_dir(&quarantine)?;
            vfs::replace(self.vfs, &quarantine, name, bytes)
        };
        match copy() {
            Err(error) if !is_out_of_space(&error) => {
                Err(LogError::io("quarantine", &quarantine.join(name))(error))
            }
            _ => Ok(()),
        }
    }

    fn list_quarantine(&self) -> Result<Vec<String>, LogError> {
        let names = self.vfs.list(self.dir).map_err(LogError::io("list", self.dir))?;
        if !names.iter().any(|name| name == QUARANTINE) {
            return Ok(Vec::new());
        }
        let quarantine = self.dir.join(QUARANTINE);
        self.vfs.list(&quarantine).map_err(LogError::io("list", &quarantine))
    }
}

fn version(path: &Path, major: u16, minor: u16) -> LogError {
    let reads = VERSION.0;
    let reason = format!("journal format {major}.{minor}; this version reads format {reads}");
    LogError::Version { path: path.to_owned(), reason }
}
