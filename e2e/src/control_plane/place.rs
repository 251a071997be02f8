//! Where a control plane listens, and for whom.

use std::net::Ipv4Addr;

use crate::error::Result;
use crate::ports;

/// Addresses of one control plane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The API server's.
    pub(crate) address: Ipv4Addr,
    /// Its port.
    pub(crate) api_port: u16,
    /// etcd's, on 127.0.0.1.
    pub(crate) etcd_port: u16,
    /// Whether there are real nodes, whose pods talk to the API server.
    pub(crate) nodes: bool,
}

impl Place {
    /// Free ports of 127.0.0.1, for a control plane among others.
    pub(super) fn among_others() -> Result<Self> {
        let (etcd_port, api_port) = (ports::free()?, ports::free()?);
        Ok(Self { address: Ipv4Addr::LOCALHOST, api_port, etcd_port, nodes: false })
    }

    /// etcd's address.
    pub(super) fn etcd(&self) -> String {
        format!("http://127.0.0.1:{}", self.etcd_port)
    }
}
