//! Endpoints in ZeroMQ's notation: `tcp://host:port` and `ipc:///path`.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Longest path of a unix socket, in bytes (unix(7), less the final zero).
const MAX_SOCKET_PATH: usize = 107;

/// Where to listen, or to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `tcp://host:port`.
    Tcp {
        /// A name or an address, IPv6 without brackets; `None` for `*`, the default host.
        host: Option<String>,
        /// 0, written `*` or `0`, lets the kernel choose.
        port: u16,
    },
    /// `ipc:///absolute/path`.
    Ipc(PathBuf),
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Neither tcp nor ipc.
    #[error("an endpoint starts with tcp:// or ipc://")]
    Transport,
    /// The part before the port is no host.
    #[error("no host: a name, an address (IPv6 in brackets) or *")]
    Host,
    /// The part after the last colon is no port.
    #[error("no port: 0 to 65535, or *")]
    Port,
    /// The path is relative or empty, has a zero byte, or is an abstract name.
    #[error("an ipc path starts with /")]
    Path,
    /// The path does not fit a socket address.
    #[error("an ipc path has at most {MAX_SOCKET_PATH} bytes")]
    PathTooLong,
}

impl Endpoint {
    /// An ipc endpoint.
    ///
    /// # Errors
    /// `Path`, `PathTooLong`.
    pub fn ipc(path: impl Into<PathBuf>) -> Result<Self, EndpointError> {
        let path = path.into();
        let bytes = path.as_os_str().as_encoded_bytes();
        if !path.is_absolute() || bytes.ends_with(b"/") || bytes.contains(&0) {
            return Err(EndpointError::Path);
        }
        if bytes.len() > MAX_SOCKET_PATH {
            return Err(EndpointError::PathTooLong);
        }
        Ok(Self::Ipc(path))
    }

    /// The socket file's path, for ipc.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Tcp { .. } => None,
            Self::Ipc(path) => Some(path),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Some(path) = text.strip_prefix("ipc://") {
            return Self::ipc(path);
        }
        let address = text.strip_prefix("tcp://").ok_or(EndpointError::Transport)?;
        let (host, port) = address.rsplit_once(':').ok_or(EndpointError::Port)?;
        let port = match port {
            "*" => 0,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| EndpointError::Port)?
            }
            _ => return Err(EndpointError::Port),
        };
        let host = match host {
            "*" => None,
            _ => Some(parse_host(host).ok_or(EndpointError::Host)?),
        };
        Ok(Self::Tcp { host, port })
    }
}

fn parse_host(host: &str) -> Option<String> {
    if let Some(inner) = host.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(address.to_string());
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (!host.is_empty() && host.bytes().all(legal)).then(|| host.to_owned())
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipc(path) => write!(f, "ipc://{}", path.display()),
            Self::Tcp { host: None, port } => write!(f, "tcp://*:{port}"),
            Self::Tcp { host: Some(host), port } if host.contains(':') => {
                write!(f, "tcp://[{host}]:{port}")
            }
            Self::Tcp { host: Some(host), port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_ones_come_back_as_written() {
        for text in [
            "tcp://*:5555",
            "tcp://127.0.0.1:5555",
            "tcp://[::1]:5555",
            "tcp://my-host.example:0",
            "ipc:///run/lifeboat/work.push",
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        assert_eq!(
            "tcp://*:*".parse(),
            Ok(Endpoint::Tcp { host: None, port: 0 }),
            "any port is written as 0"
        );
    }

    #[test]
    fn bad_ones_say_what_is_wrong() {
        for (text, error) in [
            ("inproc://x", EndpointError::Transport),
            ("", EndpointError::Transport),
            ("tcp://*", EndpointError::Port),
            ("tcp://*:", EndpointError::Port),
            ("tcp://*:65536", EndpointError::Port),
            ("tcp://*:+1", EndpointError::Port),
            ("tcp://:5555", EndpointError::Host),
            ("tcp://::1:5555", EndpointError::Host),
            ("tcp://[::1:5555", EndpointError::Host),
            ("tcp://a b:5555", EndpointError::Host),
            ("ipc://relative", EndpointError::Path),
            ("ipc://@abstract", EndpointError::Path),
            ("ipc:///", EndpointError::Path),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(error), "{text}");
        }
        let long = format!("ipc:///{}", "x".repeat(MAX_SOCKET_PATH));
        assert_eq!(long.parse::<Endpoint>(), Err(EndpointError::PathTooLong));
        assert!(long[..long.len() - 1].parse::<Endpoint>().is_ok());
    }
}
