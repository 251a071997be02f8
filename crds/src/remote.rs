//! Endpoints that a socket of the sidecar connects to: one host, one port, or a socket file.
//! It must not resolve names or touch the file system.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::endpoint::{self, Endpoint, TcpEndpoint};
use crate::malformed::Malformed;

/// How such an endpoint is written, for messages.
pub(crate) const FORM: &str = "the endpoint of a bound socket such as \"tcp://feed.example:5555\" or \"ipc:///run/lifeboat/NAME\"";

/// Where a socket connects to: `tcp://HOST:PORT` or `ipc://PATH`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Remote(Endpoint);

impl Remote {
    /// As an endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0
    }
}

impl FromStr for Remote {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let endpoint = endpoint::read(text)?;
        if let Endpoint::Tcp(TcpEndpoint { host, port }) = &endpoint {
            if host.is_wildcard() {
                return Err(Malformed::with_fix(
                    "is every interface and no host to connect to",
                    "write the host's name or address",
                ));
            }
            if *port == 0 {
                return Err(Malformed::with_fix(
                    "has no port to connect to",
                    "write the port that the other side binds",
                ));
            }
        }
        Ok(Self(endpoint))
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Remote {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<Remote> for String {
    fn from(remote: Remote) -> Self {
        remote.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_is_one_place() {
        for text in ["tcp://a.example:80", "tcp://[::1]:5555", "ipc:///run/lifeboat/a"] {
            assert_eq!(text.parse::<Remote>().unwrap().to_string(), text);
        }
        for (text, reason) in [
            ("tcp://*:5555", "every interface"),
            ("tcp://0.0.0.0:5555", "every interface"),
            ("tcp://[::]:5555", "every interface"),
            ("tcp://a:*", "no port"),
            ("tcp://a:0", "no port"),
            ("tcp://a", "no port"),
            ("inproc://a", "transport"),
            ("ipc://a", "not absolute"),
        ] {
            let message = text.parse::<Remote>().expect_err(text).to_string();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}
