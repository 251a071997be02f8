//! Asking a sidecar by HTTP how it is, as kubelet does.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// As long as kubelet would wait.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of an answer, its status line: `HTTP/1.1 200`.
const STATUS: usize = 12;

/// Whether a GET of this path is answered with 200 to 399.
pub(super) async fn passes(address: Ipv4Addr, port: u16, path: &str) -> bool {
    let status = tokio::time::timeout(PATIENCE, status(address, port, path)).await;
    matches!(status, Ok(Ok(200..=399)))
}

async fn status(address: Ipv4Addr, port: u16, path: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect((address, port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; STATUS];
    stream.read_exact(&mut line).await?;
    let code = str::from_utf8(&line[STATUS - 3..]).ok().and_then(|code| code.parse().ok());
    code.ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}
