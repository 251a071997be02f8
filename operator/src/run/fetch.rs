//! One read of a sidecar's status over HTTP: a connection, a request, an answer, within bounds.
//! Pods are not trusted: the answer has a size, and all of it a time.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::facts::Facts;

/// Of the whole read.
const TIME: Duration = Duration::from_secs(2);
/// Of an answer: eight streams with sixteen deliveries each are some 100 KiB.
const SIZE: usize = 1 << 20;

/// Why a sidecar's status could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error("no answer within {TIME:?}")]
    Slow,
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("answered {0}")]
    Code(StatusCode),
    #[error("the answer broke off or is larger than {SIZE} bytes: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer is no status: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("{0}")]
    Request(#[from] http::Error),
}

/// What the sidecar at `address` says of itself.
pub(crate) async fn facts(address: IpAddr, port: u16) -> Result<Facts, Unread> {
    timeout(TIME, read(SocketAddr::new(address, port))).await.unwrap_or(Err(Unread::Slow))
}

async fn read(address: SocketAddr) -> Result<Facts, Unread> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/v1/status")
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answer = async move {
        let response = sender.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(Unread::Code(response.status()));
        }
        let body =
            Limited::new(response.into_body(), SIZE).collect().await.map_err(Unread::Body)?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    };
    // The connection moves the bytes; when it ends first, `answer` says what that meant.
    let (_, answer) = tokio::join!(connection, answer);
    answer
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that says `answer` to whoever comes.
    async fn said(answer: Vec<u8>) -> Result<Facts, Unread> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            // The reader may have had enough before all is written.
            let _ = stream.write_all(&answer).await;
        });
        let facts = facts(address.ip(), address.port()).await;
        server.abort();
        facts
    }

    fn ok(body: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[tokio::test]
    async fn a_status_is_read_and_what_is_not_known_ignored() {
        let facts =
            said(ok(r#"{"bootId": "b", "new": [1], "totals": {"depth": 3}}"#)).await.unwrap();
        assert_eq!((facts.boot_id.as_str(), facts.totals.depth), ("b", 3));
    }

    #[tokio::test]
    async fn anything_else_is_an_error_that_says_what() {
        let error =
            said(b"HTTP/1.1 503 no\r\ncontent-length: 0\r\n\r\n".to_vec()).await.unwrap_err();
        assert!(matches!(error, Unread::Code(StatusCode::SERVICE_UNAVAILABLE)), "{error}");
        let error = said(ok("no")).await.unwrap_err();
        assert!(matches!(error, Unread::Malformed(_)), "{error}");
        let error = said(ok(&format!("\"{}\"", "x".repeat(SIZE)))).await.unwrap_err();
        assert!(matches!(error, Unread::Body(_)), "{error}");
        let error = said(b"nonsense\r\n\r\n".to_vec()).await.unwrap_err();
        assert!(matches!(error, Unread::Http(_)), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let error = facts(address.ip(), address.port()).await.unwrap_err();
        assert!(matches!(error, Unread::Slow), "{error}");
    }
}
