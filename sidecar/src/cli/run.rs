//! The command line of `lifeboat run`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::{DATA, DATA_VARIABLE, after_help};
use crate::exit::Exit;

/// Options of `lifeboat run`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat run examples/work-queue.yaml
  lifeboat run queue.yaml --data /var/lib/orders --host 0.0.0.0 --admin 127.0.0.1:9500
  lifeboat run /etc/lifeboat/queue.yaml --data /var/lib/lifeboat/data --ordinal 2

The file is a PersistentQueue as you would `kubectl apply` it. One replica runs here; what only the
operator heeds is accepted and ignored. SIGINT and SIGTERM stop it: intake ends, everything is
synced, what is stored stays. A second signal ends it at once.

Where the file has `replicas`, as an operator writes it for pods, --ordinal says which one this is.
What it says of that one (logId, fenced, drain) decides what is open; it changes with the file.

The file is watched, and SIGHUP has it looked at: sockets, their rules and limits change while the
queue runs; `lifeboat status` names what waits for a restart. A wrong file changes nothing.", &Exit::ALL))]
pub struct Run {
    /// The queue's file
    pub file: PathBuf,
    /// Data directory; made if it is not there
    #[arg(long, env = DATA_VARIABLE, default_value = DATA, value_name = "DIR")]
    pub data: PathBuf,
    /// Directory of ipc sockets [default: DATA/sockets]
    #[arg(long, value_name = "DIR")]
    pub sockets: Option<PathBuf>,
    /// What `*` means in an endpoint's host
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDR")]
    pub host: String,
    /// Where metrics, probes and status are served over HTTP, or `off`
    #[arg(long, default_value = "127.0.0.1:9464", value_name = "ADDR")]
    pub admin: AdminAddress,
    /// Which replica of the queue this is: what the file's `replicas` says of it holds here
    #[arg(long, env = "LIFEBOAT_ORDINAL", value_name = "N")]
    pub ordinal: Option<u32>,
}

/// An address, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminAddress(pub Option<SocketAddr>);

impl FromStr for AdminAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let address = text.parse().map_err(|_| {
            format!("{text:?} is neither an address with a port, such as 127.0.0.1:9464, nor off")
        })?;
        Ok(Self(Some(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_admin_address_is_an_address_or_off() {
        assert_eq!("off".parse(), Ok(AdminAddress(None)));
        assert!("127.0.0.1:0".parse::<AdminAddress>().is_ok());
        assert!("9464".parse::<AdminAddress>().unwrap_err().contains("127.0.0.1:9464"));
    }
}
