//! A peer made of bare bytes: it says what it likes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use lifeboat_zmtp::codec::greeting::greeting;

use super::PATIENCE;

/// Either kind of stream.
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

pub(crate) struct Raw(Stream);

impl Raw {
    pub(crate) fn connect(endpoint: &str) -> Self {
        let stream = if let Some(path) = endpoint.strip_prefix("ipc://") {
            Stream::Unix(UnixStream::connect(path).unwrap())
        } else {
            let address = endpoint.strip_prefix("tcp://").unwrap();
            Stream::Tcp(TcpStream::connect(address).unwrap())
        };
        match &stream {
            Stream::Tcp(stream) => stream.set_read_timeout(Some(PATIENCE)).unwrap(),
            Stream::Unix(stream) => stream.set_read_timeout(Some(PATIENCE)).unwrap(),
        }
        let raw = Self(stream);
        raw.set_write_timeout(PATIENCE);
        raw
    }

    /// How long a send may wait for room.
    fn set_write_timeout(&self, patience: Duration) {
        match &self.0 {
            Stream::Tcp(stream) => stream.set_write_timeout(Some(patience)).unwrap(),
            Stream::Unix(stream) => stream.set_write_timeout(Some(patience)).unwrap(),
        }
    }

    /// Connects and finishes the handshake as a socket of this type.
    pub(crate) fn ready(endpoint: &str, socket: &str) -> Self {
        Self::ready_with(endpoint, &ready(socket))
    }

    /// The same with this READY command.
    pub(crate) fn ready_with(endpoint: &str, ready: &[u8]) -> Self {
        let mut raw = Self::connect(endpoint);
        assert!(raw.send(&greeting("NULL")) && raw.send(ready));
        raw.receive(64);
        let header = raw.receive(2);
        assert_eq!(header[0], 4, "a command");
        let body = raw.receive(usize::from(header[1]));
        assert!(body.starts_with(b"\x05READY"), "{body:?}");
        raw
    }

    /// Sends these bytes again and again until nothing of them has been taken for two seconds: a
    /// shorter wait may only be for a slow disk. Returns how often all of them were.
    pub(crate) fn fill(&mut self, bytes: &[u8]) -> usize {
        const STUCK: Duration = Duration::from_secs(2);
        self.set_write_timeout(STUCK);
        let deadline = Instant::now() + PATIENCE;
        let (mut times, mut at) = (0, 0);
        loop {
            let written = match &mut self.0 {
                Stream::Tcp(stream) => stream.write(&bytes[at..]),
                Stream::Unix(stream) => stream.write(&bytes[at..]),
            };
            match written {
                Ok(count) => at += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("hung up: {error}"),
            }
            if at == bytes.len() {
                (times, at) = (times + 1, 0);
            }
            assert!(Instant::now() < deadline, "nothing stops it");
        }
        self.set_write_timeout(PATIENCE);
        times
    }

    /// Sends all of it; false when the other side has hung up.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = match &mut self.0 {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        };
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("not taken in time"),
            sent => sent.is_ok(),
        }
    }

    pub(crate) fn receive(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        match &mut self.0 {
            Stream::Tcp(stream) => stream.read_exact(&mut bytes).unwrap(),
            Stream::Unix(stream) => stream.read_exact(&mut bytes).unwrap(),
        }
        bytes
    }

    /// Whether anything comes before the other side closes or resets.
    pub(crate) fn hears(&mut self) -> bool {
        let mut byte = [0];
        let read = match &mut self.0 {
            Stream::Tcp(stream) => stream.read(&mut byte),
            Stream::Unix(stream) => stream.read(&mut byte),
        };
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("nothing in time"),
            read => read.is_ok_and(|count| count > 0),
        }
    }

    /// All that comes until the other side closes or resets.
    pub(crate) fn receive_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = match &mut self.0 {
            Stream::Tcp(stream) => stream.read_to_end(&mut bytes),
            Stream::Unix(stream) => stream.read_to_end(&mut bytes),
        };
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("not closed in time"),
            _ => bytes,
        }
    }
}

/// A READY command with just this socket type.
pub(crate) fn ready(socket: &str) -> Vec<u8> {
    command(&[("Socket-Type", socket)])
}

/// A READY command with this socket type and routing id.
pub(crate) fn ready_as(socket: &str, identity: &str) -> Vec<u8> {
    command(&[("Socket-Type", socket), ("Identity", identity)])
}

fn command(properties: &[(&str, &str)]) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in properties {
        body.push(u8::try_from(name.len()).unwrap());
        body.extend(name.as_bytes());
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value.as_bytes());
    }
    [&[4, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

/// A long frame header that announces `size` bytes.
pub(crate) fn announce(flags: u8, size: u64) -> Vec<u8> {
    [&[flags | 2][..], &size.to_be_bytes()].concat()
}
