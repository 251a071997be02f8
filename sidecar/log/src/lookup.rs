//! Finds places in a log: the first record that was committed at or after a time, and what users
//! call first, last and new.

use std::sync::Arc;

use crate::batch::Kind;
use crate::error::LogError;
use crate::handle::LogHandle;
use crate::reader::OpenSegment;
use crate::view::SegmentView;

/// Where records of a time begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstSince {
    /// The first such record, or the published end.
    pub seq: u64,
    /// Unix time of its commit in nanoseconds; `None` where there is no such record.
    pub time: Option<u64>,
}

impl LogHandle {
    /// The first record kept that was committed at or after `time`, Unix time in nanoseconds.
    /// Commit times never fall, so all after it are no older. May block on the disk.
    ///
    /// # Errors
    /// `Corrupt` when the disk does not hold what was written; the caller stops the stream.
    pub fn first_since(self: &Arc<Self>, time: u64) -> Result<FirstSince, LogError> {
        let (before, after, end) = {
            let view = self.view();
            let (mut before, mut after) = (None, None);
            for (&base, segment) in &view.segments {
                match segment.first_time() {
                    Some(first) if first < time => before = Some(Arc::clone(segment)),
                    Some(first) => {
                        after = Some((base, first));
                        break;
                    }
                    None => {}
                }
            }
            (before, after, view.marks.published_end)
        };
        let within = match before {
            Some(segment) => first_within(segment, time)?,
            None => None,
        };
        let found = within.or(after).filter(|&(seq, _)| seq < end);
        Ok(found.map_or(FirstSince { seq: end, time: None }, |(seq, time)| FirstSince {
            seq,
            time: Some(time),
        }))
    }
}

/// Where a delivery is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At the first record kept.
    First,
    /// At the last record.
    Last,
    /// Behind the last record.
    New,
    /// At this record, or the next one that is kept.
    Seq(u64),
    /// At the first record committed at or after this Unix time in nanoseconds.
    Time(u64),
}

impl Place {
    /// The seq of the place in `log`, within what is kept. May block on the disk.
    ///
    /// # Errors
    /// Of [`LogHandle::first_since`].
    pub fn seq_in(self, log: &Arc<LogHandle>) -> Result<u64, LogError> {
        let marks = log.marks();
        let seq = match self {
            Self::First => marks.log_start,
            Self::Last => marks.published_end.saturating_sub(1),
            Self::New => marks.published_end,
            Self::Seq(seq) => seq,
            Self::Time(time) => log.first_since(time)?.seq,
        };
        Ok(seq.clamp(marks.log_start, marks.published_end))
    }
}

/// The same within a segment of which some records are older; seq and time of the batch.
fn first_within(segment: Arc<SegmentView>, time: u64) -> Result<Option<(u64, u64)>, LogError> {
    let mut open = OpenSegment::at(segment, |index| index.locate_before(time))?;
    while let Some(header) = open.next_header()? {
        if header.kind == Kind::Records && header.time >= time {
            return Ok(Some((header.first_seq, header.time)));
        }
    }
    Ok(None)
}
