//! A real ext4 in a file, mounted through a loop device: its power can be cut, and it can be filled
//! without anybody else's noticing. Needs root.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::FallocateFlags;
use rustix::ioctl::{Setter, ioctl, opcode};

use super::PATIENCE;

/// `EXT4_IOC_SHUTDOWN` of the kernel, `_IOR('X', 125, __u32)`.
const SHUTDOWN: rustix::ioctl::Opcode = opcode::read::<u32>(b'X', 125);
/// `EXT4_GOING_FLAGS_NOLOGFLUSH`: not even the journal is written.
const NO_LOG_FLUSH: u32 = 2;

/// The file system. Dropped, it is unmounted.
pub(crate) struct LoopDisk {
    image: PathBuf,
    mount: PathBuf,
}

impl LoopDisk {
    /// Makes one of so many bytes in the file `image` and mounts it at the new directory `mount`.
    pub(crate) fn new(image: &Path, mount: &Path, bytes: u64) -> Self {
        File::create(image).unwrap().set_len(bytes).unwrap();
        std::fs::create_dir_all(mount).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image));
        let disk = Self { image: image.to_owned(), mount: mount.to_owned() };
        disk.mount();
        disk
    }

    /// From now on every call fails, and what was not synced is forgotten.
    #[expect(unsafe_code, reason = "there is no other way to shut a file system down")]
    pub(crate) fn cut_power(&self) {
        let root = File::open(&self.mount).unwrap();
        // SAFETY: the kernel reads one u32 for this opcode, and keeps nothing.
        unsafe { ioctl(&root, Setter::<SHUTDOWN, u32>::new(NO_LOG_FLUSH)) }.unwrap();
    }

    /// Mounts it again as the disk has it, once nobody holds it any more.
    pub(crate) fn power_on(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !Command::new("umount").arg(&self.mount).output().unwrap().status.success() {
            assert!(Instant::now() < deadline, "{} stays busy", self.mount.display());
            std::thread::sleep(Duration::from_millis(2));
        }
        self.mount();
    }

    /// A file that leaves no space to anybody else.
    pub(crate) fn fill(&self) -> Alien {
        let path = self.mount.join("alien");
        let file = File::create(&path).unwrap();
        let mut end = 0;
        let mut piece = 64 << 20;
        while piece >= 4096 {
            match rustix::fs::fallocate(&file, FallocateFlags::empty(), end, piece) {
                Ok(()) => end += piece,
                Err(_) => piece /= 2,
            }
        }
        Alien(path)
    }

    fn mount(&self) {
        run(Command::new("mount").args(["-o", "loop"]).args([&self.image, &self.mount]));
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.mount).output();
    }
}

/// What fills the disk, until it is dropped.
pub(crate) struct Alien(PathBuf);

impl Drop for Alien {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
