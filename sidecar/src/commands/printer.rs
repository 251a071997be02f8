//! How `receive` prints a message: a line for people, or a JSON object.

use std::io::{self, Write};

use bytes::Bytes;
use serde::Serialize;

use crate::readable::Frame;

/// Prints messages on stdout.
#[derive(Debug)]
pub(super) struct Printer {
    separator: String,
    json: bool,
}

/// One message as JSON.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    frames: Vec<Frame>,
}

impl Printer {
    /// Frames are joined by `separator`, or a message is a JSON object.
    pub(super) fn new(separator: &str, json: bool) -> Self {
        Self { separator: separator.to_owned(), json }
    }

    /// Prints a message. When it returns, the line has left the process.
    ///
    /// # Errors
    /// Of stdout, also when its reader is gone.
    pub(super) fn print(&self, record: Option<(u64, u32)>, body: &[Bytes]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", self.line(record, body)?)?;
        out.flush()
    }

    /// `record` is seq and attempt.
    fn line(&self, record: Option<(u64, u32)>, body: &[Bytes]) -> io::Result<String> {
        if self.json {
            let (seq, attempt) = record.unzip();
            let frames = body.iter().map(|frame| Frame::of(frame)).collect();
            return Ok(serde_json::to_string(&Line { seq, attempt, frames })?);
        }
        let texts: Vec<_> = body.iter().map(|frame| String::from_utf8_lossy(frame)).collect();
        Ok(texts.join(&self.separator))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: [Bytes; 3] =
        [Bytes::from_static(b"a"), Bytes::new(), Bytes::from_static(b"\xff\x00")];

    #[test]
    fn people_see_frames_with_something_between() {
        let line = Printer::new("|", false).line(Some((7, 2)), &BODY).unwrap();
        assert_eq!(line, "a||\u{fffd}\0");
    }

    #[test]
    fn machines_see_every_byte() {
        let printer = Printer::new("|", true);
        assert_eq!(
            printer.line(Some((7, 2)), &BODY).unwrap(),
            r#"{"seq":7,"attempt":2,"frames":["a","",{"base64":"/wA="}]}"#
        );
        assert_eq!(printer.line(None, &BODY[..1]).unwrap(), r#"{"frames":["a"]}"#);
    }
}
