//! The caller's end of the control socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::path_in;
use super::verb::Verb;
use super::wire::{LINE_LIMIT, Line, Progress, Request, VerbError, read_line};

/// A sidecar that says nothing for so long, not even that it is alive, does not answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// `NotFound` and `ConnectionRefused` when no sidecar runs on the data directory;
    /// `InvalidData` for an answer that is none.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The sidecar says no.
    #[error("{0}")]
    Refused(VerbError),
    /// What was to be done with an item did not work.
    #[error(transparent)]
    Caller(io::Error),
}

/// What comes before the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// One of the things that the verb lists.
    Item(Value),
    /// How far long work has come.
    Progress(Progress),
}

/// Asks the sidecar that runs on `data`, and calls `told` with what comes before the result.
///
/// Dropped, it lets the sidecar know that nobody listens: what only lists ends, what changes
/// something goes on.
///
/// # Errors
/// See [`AskError`]; an error of `told` ends it.
pub async fn ask<T: DeserializeOwned>(
    data: &Path,
    verb: Verb,
    mut told: impl FnMut(Told) -> io::Result<()>,
) -> Result<T, AskError> {
    let stream = UnixStream::connect(path_in(data)).await?;
    let (reader, mut writer) = stream.into_split();
    let mut request = serde_json::to_vec(&Request::new(verb)).map_err(io::Error::from)?;
    request.push(b'\n');
    timeout(PATIENCE, writer.write_all(&request)).await.map_err(io::Error::from)??;
    let mut reader = BufReader::new(reader);
    loop {
        let line = timeout(PATIENCE, read_line(&mut reader, LINE_LIMIT)).await;
        let line = line.map_err(io::Error::from)??;
        let line = line.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        match serde_json::from_slice(&line).map_err(io::Error::from)? {
            Line::Item(item) => told(Told::Item(item)).map_err(AskError::Caller)?,
            Line::Progress(progress) => {
                told(Told::Progress(progress)).map_err(AskError::Caller)?;
            }
            Line::Alive => {}
            Line::Result(result) => {
                return Ok(serde_json::from_value(result).map_err(io::Error::from)?);
            }
            Line::Error(error) => return Err(AskError::Refused(error)),
        }
    }
}
