//! Finds out which segment a damaged file was.

use std::io::ErrorKind;
use std::path::Path;

use super::segment_end::Known;
use super::{Mender, Patient};
use crate::batch::u64_at;
use crate::error::LogError;
use crate::segment::{self, Header};
use crate::vfs::File;

impl Mender<'_> {
    /// What can be known of a segment that may have lost its header.
    pub(super) fn identify(
        &self,
        patient: Patient<'_>,
        path: &Path,
        file: &dyn File,
        base_seq: u64,
    ) -> Result<Known, LogError> {
        let mut block = vec![0; segment::HEADER_LEN];
        let len = file.read_at(&mut block, 0).map_err(LogError::io("read", path))?;
        block.truncate(len);
        Ok(match segment::decode(path, &block) {
            Ok((header, _)) if header.log == patient.id && header.base_seq == base_seq => {
                Known::Header(header)
            }
            Err(error @ LogError::Version { .. }) => return Err(error),
            damaged => Known::Place {
                // Another segment's batches are none of this one.
                salt: if damaged.is_ok() { None } else { Some(u64_at(&block, segment::SALT_AT)) },
                number: self.free_number(patient, base_seq)?,
            },
        })
    }

    /// The lowest number that the segment with this base can have; `None` if there is none.
    fn free_number(&self, patient: Patient<'_>, base_seq: u64) -> Result<Option<u64>, LogError> {
        let (mut above, mut below) = (0, u64::MAX);
        for name in self.vfs.list(patient.dir).map_err(LogError::io("list", patient.dir))? {
            let Some(other) = segment::parse_file_name(&name).filter(|it| *it != base_seq) else {
                continue;
            };
            let path = patient.dir.join(&name);
            let mut block = vec![0; segment::HEADER_LEN];
            let file = match self.vfs.open_read(&path) {
                // It was deleted meanwhile.
                Err(gone) if gone.kind() == ErrorKind::NotFound => continue,
                opened => opened.map_err(LogError::io("open", &path))?,
            };
            let read = file.read_at(&mut block, 0).map_err(LogError::io("read", &path))?;
            block.truncate(read);
            // One that is damaged too is above: the lowest is mended first.
            let Ok((header, _)) = Header::decode(&block) else { continue };
            let Header { log, number, base_seq: named, .. } = header;
            let belongs = named == other && log == patient.id;
            if belongs && other < base_seq {
                above = above.max(number + 1);
            } else if belongs && other > base_seq {
                below = below.min(number);
            }
        }
        let number = self.state(patient.id).deleted_segments.next_absent(above);
        Ok((number < below).then_some(number))
    }

    /// The base of the segment after this one.
    pub(super) fn next_base(&self, dir: &Path, base_seq: u64) -> Result<Option<u64>, LogError> {
        let names = self.vfs.list(dir).map_err(LogError::io("list", dir))?;
        let bases = names.iter().filter_map(|name| segment::parse_file_name(name));
        Ok(bases.filter(|&base| base > base_seq).min())
    }
}
