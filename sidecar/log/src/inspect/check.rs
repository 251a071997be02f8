//! Verifies every file of a data directory, every checksum in it, and that nothing is missing.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::segments::SegmentFile;
use super::{hold, len_of, logs_of, names, segments};
use crate::error::LogError;
use crate::ids::{StreamId, VolumeId};
use crate::journal;
use crate::mend::examine;
use crate::ranges::{RangeSet, in_words};
use crate::read_only::ReadOnly;
use crate::recover::Recovered;
use crate::state::State;
use crate::verify::{Verified, verify};
use crate::vfs::Vfs;
use crate::view::SegmentView;
use crate::volume::{JOURNAL, STREAMS, copies_of, read_stream_meta, read_volume_meta};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it may be: an unsynced end of the last run, earlier losses on record.
    Note,
    /// Not what was written, or of a version that cannot be read.
    Damage,
}

/// Something about one file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Which.
    pub path: PathBuf,
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub what: String,
    /// Records that nothing can bring back, unless every delivery has settled them.
    pub lost: Vec<Range<u64>>,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The volume, if its meta file tells.
    pub volume: Option<VolumeId>,
    /// Files that were read.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Whole records in all logs, those that hold copies of ids included.
    pub records: u64,
    /// What is to be said, damage and notes, in the order of the files.
    pub findings: Vec<Checked>,
}

impl Report {
    /// Whether anything is damaged.
    pub fn is_damaged(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Damage)
    }
}

/// What to check.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// One stream alone, beside the volume's own files.
    pub stream: Option<String>,
    /// Whether a process may have the directory open: what it writes meanwhile may then look like an
    /// unsynced end.
    pub open_elsewhere: bool,
}

/// Checks `dir`, and tells `progress` how many bytes of how many were read.
///
/// # Errors
/// `Locked` when a process has the directory open; of the disk. Damage is in the report.
pub fn check(
    vfs: &Arc<dyn Vfs>,
    dir: &Path,
    options: &CheckOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, LogError> {
    let _held = if options.open_elsewhere { None } else { hold(&**vfs, dir)? };
    let read_only: Arc<dyn Vfs> = Arc::new(ReadOnly(Arc::clone(vfs)));
    let root = dir.join(STREAMS);
    let mut streams = names(&**vfs, &root)?;
    streams.retain(|name| options.stream.as_ref().is_none_or(|wanted| wanted == name));
    let total = total_bytes(&read_only, &root, &streams)?;
    let report = Report::default();
    let mut check = Check { vfs: read_only, state: State::default(), report, total, progress };
    check.volume(dir)?;
    for name in streams {
        check.stream(&root.join(name))?;
    }
    Ok(check.report)
}

fn total_bytes(vfs: &Arc<dyn Vfs>, root: &Path, streams: &[String]) -> Result<u64, LogError> {
    let mut total = 0;
    for (dir, _) in streams.iter().flat_map(|name| logs_of(&root.join(name))) {
        for segment in segments::list(&**vfs, &dir)? {
            total += len_of(vfs, &segment.path);
        }
    }
    Ok(total)
}

struct Check<'a> {
    vfs: Arc<dyn Vfs>,
    /// What the journal says.
    state: State,
    report: Report,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl Check<'_> {
    /// The volume's own files, and the journal.
    fn volume(&mut self, dir: &Path) -> Result<(), LogError> {
        self.report.files += 1;
        match read_volume_meta(&*self.vfs, dir) {
            Ok(meta) => self.report.volume = Some(meta.id),
            Err(error) => return self.damage(dir, error),
        }
        let path = dir.join(JOURNAL);
        let Some(id) = self.report.volume else { return Ok(()) };
        self.report.files += names(&*self.vfs, &path)?.len() as u64;
        match journal::inspect(&*self.vfs, &path, id) {
            Ok((state, recovery)) => {
                self.state = state;
                for damage in recovery.damaged {
                    self.damage(&path, damage.into())?;
                }
                if recovery.discarded_tail_bytes > 0 {
                    self.note(&path, torn(recovery.discarded_tail_bytes));
                }
                Ok(())
            }
            Err(error) => self.damage(&path, error),
        }
    }

    fn stream(&mut self, dir: &Path) -> Result<(), LogError> {
        self.report.files += 1;
        let ids = match read_stream_meta(&*self.vfs, dir) {
            // What is left of it is nobody's, and the next start takes it away.
            Ok(meta) if self.state.is_removed(meta.id) => return Ok(()),
            Ok(meta) => [meta.id, meta.dead_letters, copies_of(meta.id)].map(Some),
            Err(error) => {
                self.damage(dir, error)?;
                [None; 3]
            }
        };
        for ((log, _), id) in logs_of(dir).into_iter().zip(ids) {
            self.log(&log, id)?;
        }
        Ok(())
    }

    /// One log: what a start would find, and then every segment.
    fn log(&mut self, dir: &Path, id: Option<StreamId>) -> Result<(), LogError> {
        let files = segments::list(&*self.vfs, dir)?;
        let mut known = Recovered::nothing();
        if let Some(id) = id.filter(|_| !names(&*self.vfs, dir).unwrap_or_default().is_empty()) {
            let jumping = self.state.stream(id).is_some_and(|stream| stream.weakly_synced);
            known = examine(&*self.vfs, dir, id, &self.state, jumping)?;
            if known.discarded > 0 {
                self.note(dir, torn(known.discarded));
            }
            if let Some(stream) = self.state.stream(id) {
                let gaps: Vec<_> = stream.gaps.iter().collect();
                for gap in gaps {
                    self.note(dir, format!("lost earlier: {}", in_words(&gap)));
                }
            }
        }
        let views: BTreeMap<u64, Arc<SegmentView>> =
            known.sealed.iter().map(|it| (it.seqs.start, Arc::clone(&it.view))).collect();
        let mut said = Vec::new();
        for file in &files {
            if let Some(error) = self.segment(file, views.get(&file.seqs.start))? {
                said.push(file.path.clone());
                let lost = self.lost(file, id)?;
                self.found(&file.path, error, lost)?;
            }
        }
        match known.damage {
            Some(damage) if !said.iter().any(|path| is_about(&damage.error, path)) => {
                self.damage(dir, damage.error)
            }
            _ => Ok(()),
        }
    }

    /// Verifies one segment. Returns what is wrong with it.
    fn segment(
        &mut self,
        segment: &SegmentFile,
        known: Option<&Arc<SegmentView>>,
    ) -> Result<Option<LogError>, LogError> {
        let bytes = len_of(&self.vfs, &segment.path);
        self.report.files += 1;
        let before = self.report.bytes;
        let Self { report, progress, total, .. } = self;
        let mut pace = |read: Range<u64>| {
            progress(before + read.end, *total);
            true
        };
        let verified = match known {
            Some(view) => verify(view, false, &mut pace),
            None => segment.view(&*self.vfs, bytes).and_then(|view| verify(&view, true, &mut pace)),
        };
        report.bytes += bytes;
        progress(report.bytes, *total);
        match verified {
            Ok(Verified::Whole(records)) => {
                report.records += records;
                Ok(None)
            }
            Ok(Verified::Interrupted) => Ok(None),
            Err(error @ LogError::Io { operation: "open", .. }) => Err(error),
            Err(error) => Ok(Some(error)),
        }
    }

    /// What of a damaged segment cannot be read any more, and is not settled by all.
    fn lost(
        &mut self,
        segment: &SegmentFile,
        id: Option<StreamId>,
    ) -> Result<Vec<Range<u64>>, LogError> {
        let (kept, end) = segment.read(&*self.vfs, |_| Ok(()))?;
        self.report.records += kept.len();
        let end = if segment.seqs.end == u64::MAX { end } else { segment.seqs.end };
        let mut gone: RangeSet = std::iter::once(segment.seqs.start..end).collect();
        kept.iter().for_each(|range| gone.remove(range));
        let stream = id.and_then(|id| self.state.stream(id));
        let unsettled = |range: Range<u64>| match stream {
            Some(stream) => stream.unsettled(&range),
            None => vec![range],
        };
        Ok(gone.iter().flat_map(unsettled).collect())
    }

    fn note(&mut self, path: &Path, what: String) {
        let (path, severity, lost) = (path.to_owned(), Severity::Note, Vec::new());
        self.report.findings.push(Checked { path, severity, what, lost });
    }

    fn damage(&mut self, dir: &Path, error: LogError) -> Result<(), LogError> {
        self.found(dir, error, Vec::new())
    }

    /// Reports damage, and another version; any other error ends the check.
    fn found(&mut self, at: &Path, error: LogError, lost: Vec<Range<u64>>) -> Result<(), LogError> {
        let path = match &error {
            LogError::Corrupt { path, .. } | LogError::Version { path, .. } => path.clone(),
            // A sector that cannot be read is as bad as one that was changed.
            LogError::Io { operation: "read", .. } => at.to_owned(),
            _ => return Err(error),
        };
        let (severity, what) = (Severity::Damage, error.to_string());
        self.report.findings.push(Checked { path, severity, what, lost });
        Ok(())
    }
}

fn torn(bytes: u64) -> String {
    format!("{bytes} bytes at the end were never synced: the next start cuts them off")
}

fn is_about(error: &LogError, path: &Path) -> bool {
    matches!(error, LogError::Corrupt { path: damaged, .. } if damaged == path)
}
