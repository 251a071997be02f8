//! Streams that are in the directory and that nobody asked for: found, so that what they hold is
//! known, and taken away once a purge has removed them.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::StreamOptions;
use super::files::{KEPT_IDS, STREAM_META, read_stream_meta};
use crate::error::LogError;
use crate::handle::OnDamage;
use crate::segment;
use crate::state::State;
use crate::vfs::Vfs;

/// The streams below `root` beside those that were `asked` for, as they are to be opened: nothing is
/// added to them, and nothing that they hold is let go.
pub(super) fn others(
    vfs: &dyn Vfs,
    root: &Path,
    asked: &[StreamOptions],
) -> Result<Vec<StreamOptions>, LogError> {
    let names = vfs.list(root).map_err(LogError::io("list", root))?;
    let mut found = Vec::new();
    for name in names.into_iter().filter(|name| asked.iter().all(|it| it.name != *name)) {
        let dir = root.join(&name);
        let files = entries(vfs, &dir).map_err(LogError::io("list", &dir))?.unwrap_or_default();
        let is_ours =
            |file: &String| file == STREAM_META || segment::parse_file_name(file).is_some();
        if files.iter().any(is_ours) {
            found.push(StreamOptions {
                name,
                max_bytes: u64::MAX,
                segment_bytes: 1 << 20,
                on_damage: OnDamage::Stop,
                deliveries: Vec::new(),
                keeps_ids: files.iter().any(|file| file == KEPT_IDS),
            });
        }
    }
    Ok(found)
}

/// The names in a directory; `None` for what is none.
fn entries(vfs: &dyn Vfs, path: &Path) -> io::Result<Option<Vec<String>>> {
    match vfs.list(path) {
        Ok(names) => Ok(Some(names)),
        Err(error) if matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Takes away what is left of streams that were removed when the process, or the machine, ended.
pub(super) fn finish_removals(vfs: &dyn Vfs, root: &Path, state: &State) -> Result<(), LogError> {
    for name in vfs.list(root).map_err(LogError::io("list", root))? {
        let dir = root.join(name);
        match read_stream_meta(vfs, &dir) {
            Ok(meta) if state.is_removed(meta.id) => {
                clear(vfs, &dir).map_err(LogError::io("remove", &dir))?;
            }
            // Whoever opens it says what is wrong with it.
            Ok(_) | Err(LogError::Corrupt { .. } | LogError::Version { .. }) => {}
            // What is no directory.
            Err(LogError::Io { source, .. }) if source.kind() == ErrorKind::NotADirectory => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Takes away everything in a stream's directory. What says whose it is goes last: as long as there
/// is anything, a start finds out that it is nobody's any more.
pub(crate) fn clear(vfs: &dyn Vfs, dir: &Path) -> io::Result<()> {
    for name in vfs.list(dir)? {
        if name != STREAM_META {
            take_away(vfs, &dir.join(name))?;
        }
    }
    vfs.sync_dir(dir)?;
    remove(vfs, &dir.join(STREAM_META))?;
    vfs.sync_dir(dir)?;
    vfs.remove_dir(dir)
}

fn take_away(vfs: &dyn Vfs, path: &Path) -> io::Result<()> {
    let Some(names) = entries(vfs, path)? else { return remove(vfs, path) };
    for name in names {
        take_away(vfs, &path.join(name))?;
    }
    vfs.sync_dir(path)?;
    vfs.remove_dir(path)
}

/// Removes a file, unless another thread has done so already.
fn remove(vfs: &dyn Vfs, path: &Path) -> io::Result<()> {
    match vfs.remove(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
