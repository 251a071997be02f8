//! A peer made of bare bytes: it says what it likes.

use lifeboat_zmtp::Endpoint;
use lifeboat_zmtp::codec::greeting::greeting;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::PATIENCE;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub struct Raw(Box<dyn Duplex>);

impl Raw {
    pub async fn connect(endpoint: &Endpoint) -> Self {
        Self(match endpoint {
            Endpoint::Tcp { host, port } => {
                let host = host.clone().expect("a bound endpoint has an address");
                Box::new(TcpStream::connect((host, *port)).await.unwrap())
            }
            Endpoint::Ipc(path) => Box::new(UnixStream::connect(path).await.unwrap()),
        })
    }

    /// Connects and finishes the handshake as a socket of this type.
    pub async fn ready(endpoint: &Endpoint, socket: &str) -> Self {
        Self::try_ready(endpoint, socket).await.expect("let in")
    }

    /// The same; `None` where it is closed before it has heard a greeting.
    pub async fn try_ready(endpoint: &Endpoint, socket: &str) -> Option<Self> {
        let mut raw = Self::connect(endpoint).await;
        raw.send(&greeting("NULL")).await;
        raw.send(&ready(socket)).await;
        raw.try_receive(64).await.ok()?;
        let header = raw.receive(2).await;
        assert_eq!(header[0], 4, "a command");
        let body = raw.receive(usize::from(header[1])).await;
        assert!(body.starts_with(b"\x05READY"), "{body:?}");
        Some(raw)
    }

    /// Sends; a peer that has hung up already is no failure.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = timeout(PATIENCE, self.0.write_all(bytes)).await.expect("sent in time");
    }

    pub async fn receive(&mut self, count: usize) -> Vec<u8> {
        self.try_receive(count).await.unwrap()
    }

    async fn try_receive(&mut self, count: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        timeout(PATIENCE, self.0.read_exact(&mut bytes)).await.expect("in time")?;
        Ok(bytes)
    }

    /// All that comes until the other side closes or resets.
    pub async fn receive_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.expect("closed in time");
        bytes
    }
}

/// A READY command with just this socket type.
pub fn ready(socket: &str) -> Vec<u8> {
    let mut body = b"\x05READY\x0bSocket-Type\0\0\0".to_vec();
    body.push(u8::try_from(socket.len()).unwrap());
    body.extend(socket.as_bytes());
    [&[4, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

/// A long frame header that announces `size` bytes.
pub fn announce(flags: u8, size: u64) -> Vec<u8> {
    [&[flags | 2][..], &size.to_be_bytes()].concat()
}
