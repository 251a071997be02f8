//! `volume.meta` and `stream.meta` of any content, with a checksum that is right or not: refused, or
//! taken at their word.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use lifeboat_log::LogError;
use lifeboat_log::sim::SimDisk;
use lifeboat_log_fuzz::format::salted;
use lifeboat_log_fuzz::volume::{STREAM, open, without_segments};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    stream: bool,
    content: Content<'a>,
}

#[derive(Debug, Arbitrary)]
enum Content<'a> {
    /// Version and fields behind the right magic, and the right checksum.
    Fields {
        version: u16,
        fields: [u8; 44],
    },
    Bytes(&'a [u8]),
}

static VOLUME: LazyLock<SimDisk> = LazyLock::new(|| without_segments(0).0);

fuzz_target!(|input: Input<'_>| {
    let disk = VOLUME.fork();
    let (path, magic) = if input.stream {
        (Path::new(STREAM).join("stream.meta"), b"LBSTREAM")
    } else {
        (Path::new("/data/volume.meta").to_owned(), b"LBVOLUME")
    };
    let bytes = match &input.content {
        Content::Bytes(bytes) => bytes.to_vec(),
        Content::Fields { version, fields } => {
            let mut bytes = magic.to_vec();
            bytes.extend_from_slice(&version.to_le_bytes());
            bytes.extend_from_slice(&[0; 6]);
            bytes.extend_from_slice(fields);
            let sum = salted(0, &bytes);
            bytes.extend_from_slice(&sum.to_le_bytes());
            bytes
        }
    };
    disk.set_contents(&path, &bytes).expect("a file");
    match open(&disk, 3) {
        Ok(volume) if input.stream => {
            let stream = &volume.streams[0];
            let known = stream.log.marks().stopped.is_none();
            assert!(!known || stream.id.0 == bytes[16..32]);
        }
        Ok(volume) => assert_eq!(volume.id.0, bytes[16..32]),
        // Another version has the whole directory refused.
        Err(LogError::Version { .. }) => {}
        Err(LogError::Corrupt { .. }) => assert!(!input.stream),
        Err(error) => panic!("{error}"),
    }
});
