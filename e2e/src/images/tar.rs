//! Tar archives, as far as images need them: files and directories, owned by root, of no time, so
//! that the same contents are the same archive. Format: POSIX.1-1988 `ustar`.

use std::io::{self, Read, Write};

/// Bytes of a header, and what contents are filled up to.
const BLOCK: usize = 512;

/// Writes entries one after the other.
pub(super) struct Tar<W: Write> {
    out: W,
}

impl<W: Write> Tar<W> {
    /// An empty archive.
    pub(super) fn new(out: W) -> Self {
        Self { out }
    }

    /// A directory.
    pub(super) fn directory(&mut self, path: &str, mode: u32) -> io::Result<()> {
        self.header(&format!("{path}/"), mode, 0, b'5')
    }

    /// A file of these bytes.
    pub(super) fn file(&mut self, path: &str, mode: u32, contents: &[u8]) -> io::Result<()> {
        self.stream(path, mode, contents.len() as u64, &mut &contents[..])
    }

    /// A file of exactly `size` bytes that come from elsewhere.
    pub(super) fn stream(
        &mut self,
        path: &str,
        mode: u32,
        size: u64,
        contents: &mut impl Read,
    ) -> io::Result<()> {
        self.header(path, mode, size, b'0')?;
        if io::copy(contents, &mut self.out)? != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let over = usize::try_from(size % BLOCK as u64).map_err(io::Error::other)?;
        self.out.write_all(&[0; BLOCK][..(BLOCK - over) % BLOCK])
    }

    /// Ends the archive; answers what it was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn header(&mut self, path: &str, mode: u32, size: u64, kind: u8) -> io::Result<()> {
        if path.len() > 100 {
            return Err(io::Error::other(format!("{path} is too long a name for an archive")));
        }
        let mut block = [0; BLOCK];
        let mut put = |at: usize, text: &str| {
            block[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        put(0, path);
        put(100, &format!("{mode:07o}"));
        put(108, "0000000"); // owner
        put(116, "0000000"); // group
        put(124, &format!("{size:011o}"));
        put(136, "00000000000"); // time
        put(148, "        "); // what the checksum counts for itself
        put(257, "ustar\x0000");
        block[156] = kind;
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.out.write_all(&block)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn another_program_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut tar = Tar::new(Vec::new());
        tar.directory("bin", 0o755).unwrap();
        tar.file("bin/hello", 0o755, b"#!/bin/sh\necho hello\n").unwrap();
        tar.file("block", 0o644, &[7; BLOCK]).unwrap();
        tar.file("empty", 0o644, b"").unwrap();
        let path = directory.path().join("it.tar");
        std::fs::write(&path, tar.finish().unwrap()).unwrap();
        let arguments = ["-xf", path.to_str().unwrap(), "-C", directory.path().to_str().unwrap()];
        assert!(Command::new("tar").args(arguments).status().unwrap().success());
        let said = Command::new(directory.path().join("bin/hello")).output().unwrap();
        assert_eq!(said.stdout, b"hello\n");
        assert_eq!(std::fs::read(directory.path().join("block")).unwrap(), [7; BLOCK]);
        assert!(std::fs::read(directory.path().join("empty")).unwrap().is_empty());
    }

    #[test]
    fn contents_that_are_shorter_than_announced_are_an_error() {
        let mut tar = Tar::new(Vec::new());
        assert!(tar.stream("file", 0o644, 3, &mut &b"ab"[..]).is_err());
    }
}
