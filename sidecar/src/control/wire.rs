//! The lines of the control socket, and how long they may be. Pure but for reading one.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use super::verb::Verb;

/// The protocol's version. It is raised when a request of the old form would be misunderstood.
pub const VERSION: u32 = 1;
/// No request is longer, in bytes, its line end included.
pub const REQUEST_LIMIT: u64 = 64 << 10;
/// No line of an answer is longer, in bytes, its line end included.
pub const LINE_LIMIT: u64 = 16 << 20;

/// What is asked: `{"version":1,"verb":"peek","arguments":{..}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// See [`VERSION`].
    pub version: u32,
    /// The verb and its arguments.
    #[serde(flatten)]
    pub verb: Verb,
}

/// A request of any version: looked at before its verb is.
#[derive(Debug, Deserialize)]
struct Envelope {
    version: u32,
    verb: String,
}

/// One line of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Line {
    /// One of the things that the verb lists.
    Item(Value),
    /// How far long work has come.
    Progress(Progress),
    /// The work goes on and has nothing to tell.
    Alive,
    /// Done; the last line.
    Result(Value),
    /// Not done, or not all of it; the last line.
    Error(VerbError),
}

/// How far long work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub done: u64,
    /// Steps in all, as far as is known now.
    pub of: u64,
}

/// Why a verb failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerbError {
    /// For machines.
    pub code: Code,
    /// For people: names what it is about, and what would work.
    pub text: String,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Code {
    /// The request is of another version of the protocol.
    Version,
    /// This sidecar does not know the verb.
    UnknownVerb,
    /// The request, or one of its arguments, is malformed.
    BadRequest,
    /// What is named does not exist.
    NotFound,
    /// It exists and its state forbids it.
    Conflict,
    /// The sidecar could not do it: the disk, or it is stopping.
    Failed,
}

impl Request {
    /// A request of this version.
    pub fn new(verb: Verb) -> Self {
        Self { version: VERSION, verb }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// `BadRequest`, `Version`, and `UnknownVerb`, which names the verbs that this sidecar knows.
    pub fn parse(line: &[u8]) -> Result<Self, VerbError> {
        let malformed = |error: serde_json::Error| VerbError::new(Code::BadRequest, error);
        let envelope: Envelope = serde_json::from_slice(line).map_err(malformed)?;
        if envelope.version != VERSION {
            return Err(VerbError::new(
                Code::Version,
                format!(
                    "the request is of version {}, this sidecar ({}) speaks version {VERSION}",
                    envelope.version,
                    env!("CARGO_PKG_VERSION")
                ),
            ));
        }
        if !Verb::NAMES.contains(&envelope.verb.as_str()) {
            return Err(VerbError::new(
                Code::UnknownVerb,
                format!(
                    "this sidecar ({}) does not know the verb {:?}; it knows {}",
                    env!("CARGO_PKG_VERSION"),
                    envelope.verb,
                    Verb::NAMES.join(", ")
                ),
            ));
        }
        serde_json::from_slice(line).map_err(malformed)
    }
}

impl VerbError {
    /// An error of this kind, in these words.
    pub fn new(code: Code, text: impl fmt::Display) -> Self {
        Self { code, text: text.to_string() }
    }
}

impl fmt::Display for VerbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The next line without its end; `None` at the end of the input.
///
/// # Errors
/// Of the reader; `InvalidData` for one of more than `limit` bytes, its end included.
pub(super) async fn read_line(
    reader: &mut (impl AsyncBufRead + Unpin),
    limit: u64,
) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if reader.take(limit).read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    match line.pop() {
        Some(b'\n') => Ok(Some(line)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long or has no end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back_as_it_was() {
        let line = serde_json::to_vec(&Request::new(Verb::Status)).unwrap();
        assert_eq!(line, br#"{"version":1,"verb":"status"}"#);
        assert_eq!(Request::parse(&line), Ok(Request::new(Verb::Status)));
    }

    #[test]
    fn what_is_not_understood_says_what_would_be() {
        let code = |line: &str| Request::parse(line.as_bytes()).unwrap_err();
        assert_eq!(code("status").code, Code::BadRequest);
        assert_eq!(code(r#"{"verb":"status"}"#).code, Code::BadRequest);
        assert_eq!(code(r#"{"version":2,"verb":"status"}"#).code, Code::Version);
        let unknown = code(r#"{"version":1,"verb":"explode","arguments":{}}"#);
        assert_eq!(unknown.code, Code::UnknownVerb);
        for name in Verb::NAMES {
            assert!(unknown.text.contains(name), "{name} is not in {unknown}");
        }
    }

    #[tokio::test]
    async fn a_line_has_an_end_and_a_limit() {
        let mut lines = &b"one\n\ntoolong\n"[..];
        assert_eq!(read_line(&mut lines, 5).await.unwrap(), Some(b"one".to_vec()));
        assert_eq!(read_line(&mut lines, 5).await.unwrap(), Some(Vec::new()));
        assert!(read_line(&mut lines, 5).await.is_err());
        assert!(read_line(&mut &b"cut"[..], 5).await.is_err());
        assert_eq!(read_line(&mut &b""[..], 5).await.unwrap(), None);
    }
}
