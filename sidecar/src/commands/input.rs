//! The messages that `send` sends: from the command line, made, or the lines of standard input.

use std::io::{self, BufRead, Read};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::failure::Failure;
use crate::cli::Send;
use crate::client::Frames;

/// No line is longer, in bytes: no ingress takes more.
const MAX_LINE: u64 = 64 << 20;
/// Lines that are read ahead.
const LINES_AHEAD: usize = 64;

/// A source of messages.
#[derive(Debug)]
pub(super) struct Input {
    source: Source,
    separator: Option<String>,
}

#[derive(Debug)]
enum Source {
    /// These, over and over.
    Given {
        messages: Vec<String>,
        at: usize,
        left: u64,
    },
    /// Numbers from `at`, filled up to `size` bytes.
    Made {
        size: usize,
        at: u64,
        left: u64,
    },
    Lines(mpsc::Receiver<io::Result<Vec<u8>>>),
}

impl Input {
    /// What the options ask for.
    ///
    /// # Errors
    /// `--count` without anything to count.
    pub(super) fn new(options: &Send) -> Result<Self, Failure> {
        let source = match (options.size, options.count) {
            (Some(size), count) => {
                Source::Made { size: size as usize, at: 0, left: count.unwrap_or(1) }
            }
            (None, _) if !options.messages.is_empty() => {
                let messages = options.messages.clone();
                let left = options.count.unwrap_or(messages.len() as u64);
                Source::Given { messages, at: 0, left }
            }
            (None, Some(_)) => {
                return Err(Failure::usage(
                    "--count repeats what is given: add a MESSAGE, or --size BYTES for made ones",
                ));
            }
            (None, None) => Source::Lines(lines()),
        };
        Ok(Self { source, separator: options.separator.clone() })
    }

    /// The next message; `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// Of standard input.
    pub(super) async fn next(&mut self) -> io::Result<Option<Frames>> {
        let body = match &mut self.source {
            Source::Given { left: 0, .. } | Source::Made { left: 0, .. } => return Ok(None),
            Source::Given { messages, at, left } => {
                let message = messages.get(*at).map(|message| message.clone().into_bytes());
                *left -= 1;
                *at = (*at + 1) % messages.len();
                message.unwrap_or_default()
            }
            Source::Made { size, at, left } => {
                let mut body = at.to_string().into_bytes();
                body.resize(*size, b'.');
                *left -= 1;
                *at += 1;
                body
            }
            Source::Lines(lines) => match lines.recv().await {
                Some(line) => line?,
                None => return Ok(None),
            },
        };
        Ok(Some(frames(Bytes::from(body), self.separator.as_deref())))
    }
}

/// Cuts a message at each `separator`.
fn frames(body: Bytes, separator: Option<&str>) -> Frames {
    let Some(separator) = separator.filter(|separator| !separator.is_empty()) else {
        return vec![body];
    };
    let mut frames = Vec::new();
    let mut rest = body;
    while let Some(at) = find(&rest, separator.as_bytes()) {
        frames.push(rest.split_to(at));
        drop(rest.split_to(separator.len()));
    }
    frames.push(rest);
    frames
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Reads standard input on a thread of its own: a terminal gives a line when it likes.
fn lines() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(line) = next_line(&mut input).transpose() {
            let failed = line.is_err();
            if sender.blocking_send(line).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

/// The next line without its end.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if input.take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    match line.last() {
        Some(b'\n') => {
            line.pop();
        }
        _ if line.len() as u64 == MAX_LINE => {
            return Err(io::Error::other("a line of 64 MiB or more"));
        }
        _ => {}
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(body: &'static str, separator: &str) -> Vec<Bytes> {
        frames(Bytes::from_static(body.as_bytes()), Some(separator))
    }

    #[test]
    fn a_separator_cuts_a_message_into_frames() {
        assert_eq!(cut("a|b", "|"), ["a", "b"]);
        assert_eq!(cut("|a||", "|"), ["", "a", "", ""]);
        assert_eq!(cut("a<>b<>", "<>"), ["a", "b", ""]);
        assert_eq!(cut("", "|"), [""]);
        assert_eq!(cut("a|b", ""), ["a|b"]);
    }

    #[test]
    fn lines_lose_their_end_and_nothing_else() {
        let mut input = &b"a\n\nb\r\nlast"[..];
        let mut all = Vec::new();
        while let Some(line) = next_line(&mut input).unwrap() {
            all.push(line);
        }
        assert_eq!(all, [&b"a"[..], b"", b"b\r", b"last"]);
    }
}
