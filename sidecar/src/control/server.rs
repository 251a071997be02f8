//! The sidecar's end of the control socket: reads a request, has its verb's work done, and passes
//! on what it has to tell. Bounded in connections, sizes and waits.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::select;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::call::Call;
use super::path_in;
use super::wire::{Code, LINE_LIMIT, Line, REQUEST_LIMIT, Request, VerbError, read_line};
use crate::node::Node;
use crate::stop::Stop;
use crate::verbs;

/// A request comes within this time, and a line of the answer is taken within it.
const PATIENCE: Duration = Duration::from_secs(10);
/// A caller hears something at least so often.
const ALIVE: Duration = Duration::from_secs(2);
/// Requests that are worked on at one time; others wait.
const MOST_CALLS: usize = 32;
/// Lines that wait for the caller to take them.
const LINES_AHEAD: usize = 4;

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
    let calls = Arc::new(Semaphore::new(MOST_CALLS));
    loop {
        let accepted = select! {
            () = stop.ordered() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (node, stop, calls) = (Arc::clone(&node), stop.clone(), Arc::clone(&calls));
                tokio::spawn(async move {
                    // Never closed.
                    let Ok(_permit) = calls.acquire().await else { return };
                    if let Err(error) = answer(stream, node, stop).await {
                        tracing::debug!(%error, "control connection failed");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept on the control socket");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    // Gone already is as good.
    let _ = std::fs::remove_file(path_in(&data));
}

async fn answer(stream: UnixStream, node: Arc<Node>, stop: Stop) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let request = match timeout(PATIENCE, read_line(&mut reader, REQUEST_LIMIT)).await? {
        Ok(None) => return Ok(()),
        Ok(Some(line)) => Request::parse(&line),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(VerbError::new(Code::BadRequest, error))
        }
        Err(error) => return Err(error),
    };
    let outcome = match request {
        Ok(request) => {
            let (sender, lines) = mpsc::channel(LINES_AHEAD);
            let call = Call::new(sender, stop);
            // In a task of its own: what was begun is done to its end, whoever goes away.
            let work =
                tokio::spawn(async move { verbs::perform(request.verb, &node, &call).await });
            pass_on(lines, &mut reader, &mut writer).await?;
            work.await.unwrap_or_else(|error| Err(VerbError::new(Code::Failed, error)))
        }
        Err(error) => Err(error),
    };
    write(&mut writer, &outcome.map_or_else(Line::Error, Line::Result)).await
}

/// Passes lines on until the work has ended.
///
/// # Errors
/// The caller is gone, or takes nothing; then the work sees it too.
async fn pass_on(
    mut lines: mpsc::Receiver<Line>,
    reader: &mut (impl AsyncBufRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut alive = interval(ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    alive.reset();
    let mut gone = pin!(gone(reader));
    loop {
        let line = select! {
            line = lines.recv() => match line {
                Some(line) => line,
                None => return Ok(()),
            },
            () = &mut gone => return Err(io::ErrorKind::BrokenPipe.into()),
            _ = alive.tick() => Line::Alive,
        };
        write(writer, &line).await?;
        alive.reset();
    }
}

/// Completes when the caller has closed its end. It has nothing more to say, so that whatever it
/// says is passed over.
async fn gone(reader: &mut (impl AsyncBufRead + Unpin)) {
    let mut waste = [0; 256];
    while reader.read(&mut waste).await.is_ok_and(|count| count > 0) {}
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), line: &Line) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    if bytes.len() as u64 > LINE_LIMIT {
        let error = VerbError::new(Code::Failed, "an answer is longer than a line may be");
        bytes = serde_json::to_vec(&Line::Error(error))?;
        bytes.push(b'\n');
    }
    timeout(PATIENCE, writer.write_all(&bytes)).await?
}
