//! The files and directories of a volume that are neither log nor journal: what it is, what each
//! stream is, and where things lie.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rand::RngCore;
use rand::rngs::SmallRng;

use crate::error::{Corruption, LogError};
use crate::ids::{StreamId, VolumeId};
use crate::meta::{self, Rejected, StreamMeta, VolumeMeta};
use crate::segment;
use crate::vfs::{Vfs, read_all, replace};

pub(crate) const LOCK: &str = "lock";
pub(crate) const STREAMS: &str = "streams";
pub(crate) const DEAD_LETTERS: &str = "dead-letters";
/// Directory of the copies of ids, within a stream's.
pub(crate) const KEPT_IDS: &str = "ids";
pub(crate) const JOURNAL: &str = "journal";
const VOLUME_META: &str = "volume.meta";
pub(super) const STREAM_META: &str = "stream.meta";

/// Reads `volume.meta`, or makes it in a directory that holds nothing of ours, and raises the epoch.
pub(super) fn open_volume_meta(
    vfs: &dyn Vfs,
    dir: &Path,
    random: &mut SmallRng,
) -> Result<VolumeMeta, LogError> {
    let path = dir.join(VOLUME_META);
    let names = vfs.list(dir).map_err(LogError::io("list", dir))?;
    let old = if names.iter().any(|name| name == VOLUME_META) {
        read_volume_meta(vfs, dir)?
    } else if names.iter().any(|name| name == STREAMS || name == JOURNAL) {
        return Err(LogError::Corrupt { path, position: 0, kind: Corruption::Missing });
    } else {
        sync_name(vfs, dir)?;
        VolumeMeta { id: VolumeId(draw(random)), epoch: 0 }
    };
    let epoch = old.epoch.checked_add(1).ok_or_else(|| corrupt(&path, 32, Corruption::Content))?;
    let meta = VolumeMeta { epoch, ..old };
    replace(vfs, dir, VOLUME_META, &meta.encode()).map_err(LogError::io("write", &path))?;
    Ok(meta)
}

/// Reads `stream.meta`, or makes it in a directory without segments.
pub(super) fn open_stream_meta(
    vfs: &dyn Vfs,
    dir: &Path,
    random: &mut SmallRng,
) -> Result<StreamMeta, LogError> {
    let path = dir.join(STREAM_META);
    let names = vfs.list(dir).map_err(LogError::io("list", dir))?;
    if names.iter().any(|name| name == STREAM_META) {
        return read_stream_meta(vfs, dir);
    }
    if names.iter().any(|name| segment::parse_file_name(name).is_some()) {
        return Err(LogError::Corrupt { path, position: 0, kind: Corruption::Missing });
    }
    let meta = StreamMeta { id: StreamId(draw(random)), dead_letters: StreamId(draw(random)) };
    replace(vfs, dir, STREAM_META, &meta.encode()).map_err(LogError::io("write", &path))?;
    Ok(meta)
}

/// Reads `volume.meta`, which must be there.
pub(crate) fn read_volume_meta(vfs: &dyn Vfs, dir: &Path) -> Result<VolumeMeta, LogError> {
    let path = dir.join(VOLUME_META);
    decode(&path, VolumeMeta::decode(&read(vfs, &path)?))
}

/// Reads `stream.meta`, which must be there.
pub(crate) fn read_stream_meta(vfs: &dyn Vfs, dir: &Path) -> Result<StreamMeta, LogError> {
    let path = dir.join(STREAM_META);
    decode(&path, StreamMeta::decode(&read(vfs, &path)?))
}

/// Makes `dir/name` durably, if it is not there.
pub(super) fn make_dir(vfs: &dyn Vfs, dir: &Path, name: &str) -> Result<PathBuf, LogError> {
    let path = dir.join(name);
    vfs.create_dir(&path).map_err(LogError::io("create", &path))?;
    vfs.sync_dir(dir).map_err(LogError::sync(dir))?;
    Ok(path)
}

/// Makes the name of a new data directory durable: whoever made it may have left that to us.
fn sync_name(vfs: &dyn Vfs, dir: &Path) -> Result<(), LogError> {
    let parent = match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    match vfs.sync_dir(parent) {
        // A mount point below a directory that is not ours, made by those who mounted it.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        result => result.map_err(LogError::sync(parent)),
    }
}

fn draw(random: &mut SmallRng) -> [u8; 16] {
    let mut id = [0; 16];
    random.fill_bytes(&mut id);
    id
}

fn read(vfs: &dyn Vfs, path: &Path) -> Result<Vec<u8>, LogError> {
    read_all(vfs, path, meta::LEN as u64).map_err(|error| match error.kind() {
        ErrorKind::NotFound => corrupt(path, 0, Corruption::Missing),
        ErrorKind::InvalidData => corrupt(path, meta::LEN as u64, Corruption::Content),
        _ => LogError::io("read", path)(error),
    })
}

fn decode<T>(path: &Path, decoded: Result<T, Rejected>) -> Result<T, LogError> {
    decoded.map_err(|rejected| match rejected {
        Rejected::Damaged => corrupt(path, 0, Corruption::Checksum),
        Rejected::Version(found) => LogError::Version {
            path: path.to_owned(),
            reason: format!("format {found}; this version reads format 1"),
        },
    })
}

fn corrupt(path: &Path, position: u64, kind: Corruption) -> LogError {
    LogError::Corrupt { path: path.to_owned(), position, kind }
}
