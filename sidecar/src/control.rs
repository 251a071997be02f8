//! The control socket: `<data>/control.sock`, for whoever may enter the sidecar's own file system.
//! One JSON object a line in each direction.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lifeboat_log::Accepted;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::select;
use tokio::time::timeout;

use crate::node::Node;
use crate::seek::{self, Seek, Sought};
use crate::status::Status;
use crate::stop::Stop;

/// No request is longer, in bytes.
const REQUEST_LIMIT: u64 = 64 << 10;
/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "camelCase", deny_unknown_fields)]
pub enum Request {
    /// Where everything stands.
    Status,
    /// Move a delivery's cursor.
    Seek(Seek),
    /// Let a stream go on behind what is damaged.
    AcceptGap {
        /// The stream.
        stream: String,
    },
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reply {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Seek`].
    Sought(Sought),
    /// To [`Request::AcceptGap`]: what it cost.
    Accepted(Price),
    /// The request was not understood, or could not be followed.
    Error(String),
}

/// What it costs that a stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// Damaged places that were mended.
    pub places: u64,
    /// Records that are lost.
    pub lost: u64,
    /// Records of damaged segments that were kept.
    pub kept: u64,
}

impl From<Accepted> for Price {
    fn from(Accepted { places, lost, kept }: Accepted) -> Self {
        Self { places, lost, kept }
    }
}

impl From<Price> for Accepted {
    fn from(Price { places, lost, kept }: Price) -> Self {
        Self { places, lost, kept }
    }
}

/// Where the control socket of a data directory is.
pub fn path_in(data: &Path) -> PathBuf {
    data.join("control.sock")
}

/// Binds the control socket. Whoever holds the data directory's lock may replace an old one.
///
/// # Errors
/// Of the system; a path over 107 bytes is `InvalidInput`.
pub fn bind(data: &Path) -> io::Result<UnixListener> {
    let path = path_in(data);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until the order to stop, and removes the socket.
pub async fn serve(listener: UnixListener, data: PathBuf, node: Arc<Node>, mut stop: Stop) {
    loop {
        select! {
            () = stop.ordered() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let node = Arc::clone(&node);
                    tokio::spawn(async move {
                        if let Err(error) = answer(stream, &node).await {
                            tracing::debug!(%error, "control connection failed");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept on the control socket");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    // Gone already is as good.
    let _ = std::fs::remove_file(path_in(&data));
}

async fn answer(stream: UnixStream, node: &Node) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader.take(REQUEST_LIMIT)).lines();
    while let Some(line) = timeout(PATIENCE, lines.next_line()).await?? {
        let reply = match serde_json::from_str(&line) {
            Ok(Request::Status) => {
                Reply::Status(Box::new(tokio::task::block_in_place(|| node.status())))
            }
            Ok(Request::Seek(order)) => {
                seek::seek(node, &order).await.map_or_else(Reply::Error, Reply::Sought)
            }
            Ok(Request::AcceptGap { stream }) => match node.accept_gap(&stream).await {
                Ok(accepted) => Reply::Accepted(accepted.into()),
                Err(why) => Reply::Error(why),
            },
            Err(error) => Reply::Error(error.to_string()),
        };
        let mut answer = serde_json::to_vec(&reply)?;
        answer.push(b'\n');
        timeout(PATIENCE, writer.write_all(&answer)).await??;
    }
    Ok(())
}

/// Asks the sidecar that runs on a data directory.
///
/// # Errors
/// `NotFound` and `ConnectionRefused` when none runs there; `InvalidData` for an answer that is
/// none.
pub async fn ask(data: &Path, request: &Request) -> io::Result<Reply> {
    let stream = UnixStream::connect(path_in(data)).await?;
    let (reader, mut writer) = stream.into_split();
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    let mut answer = String::new();
    timeout(PATIENCE, BufReader::new(reader).read_line(&mut answer)).await??;
    serde_json::from_str(&answer).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
