//! `lifeboat dump`.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use lifeboat_log::LogError;
use lifeboat_log::disk::Disk;
use lifeboat_log::inspect::{self, DumpOptions, Dumped};
use lifeboat_log::ranges::in_words;
use lifeboat_log::vfs::Vfs;
use lifeboat_zmtp::frames;
use serde::Serialize;

use super::fail;
use super::failure::Failure;
use crate::cli::{Dump, DumpFormat};
use crate::exit::Exit;
use crate::readable::Frame;

/// A record as JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    stream: &'a str,
    seq: u64,
    /// Unix time of its commit, in nanoseconds.
    time: u64,
    frames: Vec<Frame>,
}

/// Prints every record that `options` asks for and that can be read.
pub fn run(options: &Dump) -> Exit {
    let mut out = BufWriter::new(io::stdout().lock());
    let vfs: Arc<dyn Vfs> = Arc::new(Disk::new());
    let wanted = DumpOptions {
        stream: options.stream.clone(),
        dead_letters: options.dead_letters,
        seqs: options.from..options.to,
    };
    let dumped = inspect::dump(&vfs, &options.dir, &wanted, &mut |item| {
        print(&mut out, &item, options.format)
            .map_err(LogError::fatal("print to", Path::new("stdout")))
    });
    let dumped =
        dumped.and_then(|()| out.flush().map_err(LogError::fatal("print to", Path::new("stdout"))));
    match dumped.map_err(Failure::from) {
        Ok(()) => Exit::Success,
        Err(failure) => fail(&failure, failure.exit()),
    }
}

fn print(out: &mut impl Write, item: &Dumped<'_>, format: DumpFormat) -> io::Result<()> {
    match (item, format) {
        (Dumped::Record { payload, .. }, DumpFormat::Raw) => out.write_all(payload),
        (Dumped::Record { stream, seq, time, payload }, DumpFormat::Json) => {
            let frames = frames(payload).map(|frame| Frame::of(frame.body)).collect();
            let line = Line { stream, seq: *seq, time: *time, frames };
            serde_json::to_writer(&mut *out, &line)?;
            out.write_all(b"\n")
        }
        (Dumped::Missing { stream, seqs }, _) => {
            eprintln!("lifeboat: stream {stream}: no records {}", in_words(seqs));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_line_or_its_own_bytes() {
        let mut payload = Vec::new();
        lifeboat_zmtp::push_frame(&mut payload, true, b"text");
        lifeboat_zmtp::push_frame(&mut payload, false, b"\xff");
        let payload = bytes::Bytes::from(payload);
        let item = Dumped::Record { stream: "s", seq: 7, time: 9, payload: payload.clone() };
        let printed = |format| {
            let mut out = Vec::new();
            print(&mut out, &item, format).unwrap();
            out
        };
        let line = r#"{"stream":"s","seq":7,"time":9,"frames":["text",{"base64":"/w=="}]}"#;
        assert_eq!(String::from_utf8(printed(DumpFormat::Json)).unwrap(), format!("{line}\n"));
        assert_eq!(printed(DumpFormat::Raw), payload);
    }
}
