//! Whether a data directory outlives a restart of the machine, as far as its file system tells.

use std::path::Path;

/// File systems that live in memory or in a container's writable layer, by their magic numbers
/// (statfs(2)).
const FLEETING: [(u64, &str); 3] =
    [(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs"), (0x794c_7630, "overlay")];

/// The name of the fleeting file system that holds `dir`; `None` when nothing speaks against it.
/// Kubernetes' emptyDir on a node's disk cannot be told from a volume here.
pub fn fleeting_file_system(dir: &Path) -> Option<&'static str> {
    let found = rustix::fs::statfs(dir).ok()?;
    let magic = u64::try_from(found.f_type).ok()?;
    FLEETING.iter().find(|(fleeting, _)| *fleeting == magic).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memory_is_fleeting() {
        assert_eq!(fleeting_file_system(Path::new("/dev/shm")), Some("tmpfs"));
    }
}
