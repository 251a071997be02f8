//! Refuses a data directory that another version wrote, before anything in it is touched.

use std::path::Path;

use super::files::{DEAD_LETTERS, JOURNAL, STREAMS, read_stream_meta, read_volume_meta};
use crate::error::LogError;
use crate::journal;
use crate::segment;
use crate::vfs::Vfs;

/// Looks at what each file says of its version. Damage is another matter, and not noticed here.
///
/// # Errors
/// `Version` for the first file that this version does not read.
pub(super) fn check(vfs: &dyn Vfs, dir: &Path) -> Result<(), LogError> {
    only_versions(read_volume_meta(vfs, dir).map(drop))?;
    only_versions(journal::check_versions(vfs, &dir.join(JOURNAL)))?;
    let streams = dir.join(STREAMS);
    for name in vfs.list(&streams).unwrap_or_default() {
        let stream = streams.join(name);
        only_versions(read_stream_meta(vfs, &stream).map(drop))?;
        for log in [&stream, &stream.join(DEAD_LETTERS)] {
            only_versions(segments(vfs, log))?;
        }
    }
    Ok(())
}

fn segments(vfs: &dyn Vfs, dir: &Path) -> Result<(), LogError> {
    for name in vfs.list(dir).unwrap_or_default() {
        if segment::parse_file_name(&name).is_some() {
            let path = dir.join(name);
            let mut block = vec![0; segment::HEADER_LEN];
            let file = vfs.open_read(&path).map_err(LogError::io("open", &path))?;
            file.read_at(&mut block, 0).map_err(LogError::io("read", &path))?;
            only_versions(segment::decode(&path, &block).map(drop))?;
        }
    }
    Ok(())
}

/// Whatever else is wrong is found, and dealt with, when the file is opened.
fn only_versions(looked: Result<(), LogError>) -> Result<(), LogError> {
    match looked {
        Err(error @ LogError::Version { .. }) => Err(error),
        _ => Ok(()),
    }
}
