//! The two kinds of socket a peer may come on, as one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use bytes::BufMut;
use rustix::net::sockopt;
use tokio::io::{Interest, Ready};
use tokio::net::{TcpStream, UnixStream};

/// TCP keep-alive finds dead peers that speak 3.0 and so get no PING: about 90 s.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// A connected, non-blocking socket.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Sets what every connection wants: no Nagle delay, keep-alive. Buffer sizes stay the
    /// kernel's, which tunes them only while nobody sets them.
    pub(super) fn prepare(&self) -> io::Result<()> {
        if let Self::Tcp(stream) = self {
            stream.set_nodelay(true)?;
            sockopt::set_socket_keepalive(stream, true)?;
            sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
            sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
            sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES)?;
        }
        Ok(())
    }

    pub(super) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
            Self::Unix(stream) => stream.ready(interest).await,
        }
    }

    pub(super) fn try_read(&self, buf: &mut impl BufMut) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read_buf(buf),
            Self::Unix(stream) => stream.try_read_buf(buf),
        }
    }

    pub(super) fn try_write(&self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
            Self::Unix(stream) => stream.try_write_vectored(slices),
        }
    }

    /// Sends all of `bytes`, waiting for room.
    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.ready(Interest::WRITABLE).await?;
            match self.try_write(&[io::IoSlice::new(bytes)]) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says that nothing more will be sent and reads on until the peer closes.
    ///
    /// Closing a tcp socket with unread bytes resets it, and a reset overtakes what was just
    /// written: the peer would never see our last bytes.
    pub(super) async fn part(&self) -> io::Result<()> {
        rustix::net::shutdown(self, rustix::net::Shutdown::Write)?;
        let mut waste = [0; 4096];
        loop {
            self.ready(Interest::READABLE).await?;
            match self.try_read(&mut &mut waste[..]) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}
