//! Binds endpoints and accepts sockets. What it accepts has not said a word yet.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::{TcpListener, UnixListener};

use super::endpoint::Endpoint;
use super::stream::Stream;

/// Connections that the kernel keeps until they are accepted, at most net.core.somaxconn. Beyond it a
/// tcp peer tries again after a second and more, so a crowd that comes back at once should fit.
const BACKLOG: i32 = 4096;

/// A bound endpoint. Peers can connect from now on; they wait for [`crate::serve`].
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    endpoint: Endpoint,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, #[expect(dead_code, reason = "held for its drop")] SocketFile),
}

impl Listener {
    /// Binds. `default_host` stands for `*`; of a name with several addresses the first that can
    /// be bound is taken.
    ///
    /// An ipc endpoint replaces a socket file on which nobody answers, and is never reachable
    /// with other permissions than 0660.
    ///
    /// # Errors
    /// Those of the system; `AddrInUse` also for a path that is in use or not a socket.
    pub async fn bind(endpoint: &Endpoint, default_host: &str) -> io::Result<Self> {
        match endpoint {
            Endpoint::Tcp { host, port } => {
                let host = host.as_deref().unwrap_or(default_host);
                let listener = TcpListener::bind((host, *port)).await?;
                // It listens already, with a backlog of 1,024; listen(2) may be repeated.
                rustix::net::listen(&listener, BACKLOG)?;
                let address = listener.local_addr()?;
                let host = Some(address.ip().to_string());
                let endpoint = Endpoint::Tcp { host, port: address.port() };
                Ok(Self { socket: Socket::Tcp(listener), endpoint })
            }
            Endpoint::Ipc(path) => {
                let (listener, file) = bind_unix(path)?;
                Ok(Self { socket: Socket::Unix(listener, file), endpoint: endpoint.clone() })
            }
        }
    }

    /// What is bound, with the real address and port.
    pub fn local_endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The next connection and its peer's address. Cancel-safe.
    pub(super) async fn accept(&self) -> io::Result<(Stream, String)> {
        let (stream, address) = match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                (Stream::Tcp(stream), format!("tcp://{address}"))
            }
            Socket::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                (Stream::Unix(stream), self.endpoint.to_string())
            }
        };
        Ok((stream, address))
    }
}

/// Socket, bind, chmod, listen, in this order: between bind and listen connecting fails.
fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    remove_stale(path)?;
    let socket = unix_socket()?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    let file = SocketFile::of(path)?;
    rustix::fs::chmod(path, Mode::from_raw_mode(0o660))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok((UnixListener::from_std(socket.into())?, file))
}

fn unix_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// Removes what a dead process left at `path`, and nothing else.
fn remove_stale(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "exists and is not a socket"));
        }
        Ok(_) => {}
    }
    // Non-blocking, so that a listener that does not accept counts as one.
    match rustix::net::connect(unix_socket()?, &SocketAddrUnix::new(path)?) {
        Err(Errno::CONNREFUSED) => std::fs::remove_file(path),
        Err(Errno::NOENT) => Ok(()),
        Ok(()) | Err(Errno::AGAIN) => {
            Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on it"))
        }
        Err(error) => Err(error.into()),
    }
}

/// A socket file that we made; removed on drop unless another has taken its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let found = path.symlink_metadata()?;
        Ok(Self { path: path.to_owned(), device: found.dev(), inode: found.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = self
            .path
            .symlink_metadata()
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if is_ours {
            // A file that stays is stale and the next bind removes it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
