//! Endpoints that a socket of the sidecar binds: `tcp://HOST:PORT` and `ipc://PATH`.
//! It must not resolve names or touch the file system.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounds::FIRST_PORT;
use crate::malformed::Malformed;

/// How an endpoint is written, for messages.
pub(crate) const FORM: &str = "an endpoint such as \"tcp://*:5555\", \
     or no endpoint at all for an ipc socket in the socket directory";

/// Where a socket is bound: `tcp://HOST:PORT` or `ipc://PATH`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum Endpoint {
    /// A TCP address.
    Tcp(TcpEndpoint),
    /// The absolute path of a unix socket.
    Ipc(PathBuf),
}

/// A TCP address to bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpEndpoint {
    /// The interface.
    pub host: Host,
    /// The port; 0 (also written `*`) means that the system picks one.
    pub port: u16,
}

/// The interface of a [`TcpEndpoint`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// `*`: every interface in a pod, `--host` (default 127.0.0.1) standalone.
    Any,
    /// An address; IPv6 is written in brackets.
    Ip(IpAddr),
    /// A host name in lower case, to be resolved where the queue runs.
    Name(String),
}

impl TcpEndpoint {
    /// Whether both cannot be bound on one machine: same port, and the same host or one of them
    /// on every interface. Ports that the system picks never collide.
    pub(crate) fn collides(&self, other: &Self) -> bool {
        self.port != 0
            && self.port == other.port
            && (self.host == other.host || self.host.is_wildcard() || other.host.is_wildcard())
    }
}

impl Host {
    /// Whether it is every interface.
    pub(crate) fn is_wildcard(&self) -> bool {
        match self {
            Self::Any => true,
            Self::Ip(address) => address.is_unspecified(),
            Self::Name(_) => false,
        }
    }
}

impl FromStr for Endpoint {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match read(text)? {
            Self::Tcp(TcpEndpoint { port, .. }) if (1..FIRST_PORT).contains(&port) => {
                Err(Malformed::with_fix(
                    format!(
                        "has the port {port}, which needs a privilege that the sidecar does not have"
                    ),
                    "choose one from 1024 to 65535",
                ))
            }
            endpoint => Ok(endpoint),
        }
    }
}

/// Reads an endpoint of either use.
pub(crate) fn read(text: &str) -> Result<Endpoint, Malformed> {
    match text.split_once("://") {
        Some(("tcp", rest)) => tcp(rest).map(Endpoint::Tcp),
        Some(("ipc", path)) => ipc(path).map(Endpoint::Ipc),
        Some((transport, _)) => Err(Malformed::with_fix(
            format!("has the transport {transport:?}"),
            "expected tcp:// or ipc://",
        )),
        None => Err(Malformed::new("has no transport")),
    }
}

fn tcp(text: &str) -> Result<TcpEndpoint, Malformed> {
    let (host, port) = text.rsplit_once(':').ok_or_else(|| Malformed::new("has no port"))?;
    Ok(TcpEndpoint { host: parse_host(host)?, port: parse_port(port)? })
}

fn parse_host(text: &str) -> Result<Host, Malformed> {
    if text == "*" {
        return Ok(Host::Any);
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address = inner.parse::<Ipv6Addr>();
        let address = address.map_err(|_| {
            Malformed::new(format!("has no IPv6 address in its brackets: {inner:?}"))
        })?;
        return Ok(Host::Ip(address.to_canonical()));
    }
    if text.contains(':') {
        return Err(Malformed::with_fix(
            "has an IPv6 address without brackets",
            "write it as in tcp://[::1]:5555",
        ));
    }
    if let Ok(address) = text.parse::<std::net::Ipv4Addr>() {
        return Ok(Host::Ip(address.into()));
    }
    if !is_host_name(text) {
        let reason = format!("has a host that is no address and no host name: {text:?}");
        return Err(Malformed::new(reason));
    }
    Ok(Host::Name(text.to_ascii_lowercase()))
}

/// RFC 1123, section 2.1; a last label of digits only would be a mistyped address.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    text.len() <= 253 && text.split('.').all(label) && !text.rsplit('.').next().is_some_and(numeric)
}

fn parse_port(text: &str) -> Result<u16, Malformed> {
    if text == "*" {
        return Ok(0);
    }
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let port = text.parse::<u16>().ok().filter(|_| digits);
    port.ok_or_else(|| {
        Malformed::with_fix(
            format!("has the port {text:?}"),
            "expected a number from 1024 to 65535, or 0 or '*' for one that the system picks",
        )
    })
}

fn ipc(path: &str) -> Result<PathBuf, Malformed> {
    let Some(inside) = path.strip_prefix('/') else {
        return Err(Malformed::with_fix(
            "has a path that is not absolute",
            "write ipc:///run/lifeboat/NAME, or leave the endpoint out",
        ));
    };
    if path.chars().any(char::is_control) {
        return Err(Malformed::new("has a control character in its path"));
    }
    if inside.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(Malformed::with_fix(
            "has an empty part, '.' or '..' in its path",
            "write the path without",
        ));
    }
    Ok(PathBuf::from(path))
}

impl TryFrom<String> for Endpoint {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(tcp) => tcp.fmt(f),
            Self::Ipc(path) => write!(f, "ipc://{}", path.display()),
        }
    }
}

impl fmt::Display for TcpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => f.write_str("tcp://*:")?,
            Host::Ip(IpAddr::V6(address)) => write!(f, "tcp://[{address}]:")?,
            Host::Ip(address) => write!(f, "tcp://{address}:")?,
            Host::Name(name) => write!(f, "tcp://{name}:")?,
        }
        if self.port == 0 { f.write_str("*") } else { self.port.fmt(f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tcp_of(text: &str) -> TcpEndpoint {
        match text.parse() {
            Ok(Endpoint::Tcp(tcp)) => tcp,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn forms() {
        assert_eq!(tcp_of("tcp://*:5555"), TcpEndpoint { host: Host::Any, port: 5555 });
        assert_eq!(tcp_of("tcp://*:*"), TcpEndpoint { host: Host::Any, port: 0 });
        assert_eq!(tcp_of("tcp://127.0.0.1:0").host, Host::Ip([127, 0, 0, 1].into()));
        assert_eq!(tcp_of("tcp://[::1]:1024").host, Host::Ip(Ipv6Addr::LOCALHOST.into()));
        assert_eq!(tcp_of("tcp://Local-Host.x1:65535").host, Host::Name("local-host.x1".into()));
        let path = PathBuf::from("/run/lifeboat/a");
        assert_eq!("ipc:///run/lifeboat/a".parse(), Ok(Endpoint::Ipc(path)));
    }

    #[test]
    fn refusals_name_the_reason() {
        let cases = [
            ("", "no transport"),
            ("*:5555", "no transport"),
            ("udp://*:5555", "expected tcp:// or ipc://"),
            ("TCP://*:5555", "expected tcp:// or ipc://"),
            ("tcp://*", "no port"),
            ("tcp://*:", "expected a number from 1024"),
            ("tcp://*:+5555", "expected a number from 1024"),
            ("tcp://*:70000", "expected a number from 1024"),
            ("tcp://*:80", "needs a privilege"),
            ("tcp://:5555", "no address and no host name"),
            ("tcp://a b:5555", "no address and no host name"),
            ("tcp://1.2.3:5555", "no address and no host name"),
            ("tcp://-a:5555", "no address and no host name"),
            ("tcp://::1:5555", "without brackets"),
            ("tcp://[::g]:5555", "no IPv6 address"),
            ("ipc://", "not absolute"),
            ("ipc://a", "not absolute"),
            ("ipc://@a", "not absolute"),
            ("ipc:///", "an empty part"),
            ("ipc:///a//b", "an empty part"),
            ("ipc:///a/../b", "'..'"),
            ("ipc:///a\u{0}b", "control character"),
        ];
        for (text, reason) in cases {
            let message = text.parse::<Endpoint>().expect_err(text).to_string();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }

    #[test]
    fn collisions() {
        let collide = |a, b| tcp_of(a).collides(&tcp_of(b)) && tcp_of(b).collides(&tcp_of(a));
        assert!(collide("tcp://*:5555", "tcp://127.0.0.1:5555"));
        assert!(collide("tcp://0.0.0.0:5555", "tcp://a.example:5555"));
        assert!(collide("tcp://[::]:5555", "tcp://*:5555"));
        assert!(collide("tcp://localhost:5555", "tcp://LOCALHOST:5555"));
        assert!(collide("tcp://[::ffff:10.0.0.1]:5555", "tcp://10.0.0.1:5555"));
        assert!(!collide("tcp://127.0.0.1:5555", "tcp://127.0.0.2:5555"));
        assert!(!collide("tcp://*:5555", "tcp://*:5556"));
        assert!(!collide("tcp://*:*", "tcp://*:0"));
    }

    proptest! {
        #[test]
        fn what_is_shown_parses_to_the_same(text in "(tcp|ipc)://[a-z0-9./:*\\[\\]-]{0,20}(:[0-9]{1,5})?") {
            if let Ok(endpoint) = text.parse::<Endpoint>() {
                prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
            }
        }
    }
}
