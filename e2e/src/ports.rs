//! Free ports on loopback, for servers that cannot be asked which one they got.

use std::net::{Ipv4Addr, TcpListener};

use rand::Rng as _;

use crate::error::{Error, Result};

/// Below what the kernel gives to outgoing connections (from 32,768 on), so that a server which is
/// stopped for a while finds its port free when it comes back.
const RANGE: std::ops::Range<u16> = 20_000..32_000;
/// Tries before the machine counts as full.
const TRIES: usize = 1_000;

/// A port of 127.0.0.1 that nobody listens on. Another process can still take it before its user
/// does: a start that fails is worth another try.
pub(crate) fn free() -> Result<u16> {
    let mut last = None;
    for _ in 0..TRIES {
        let port = rand::rng().random_range(RANGE);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    let source = last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into());
    Err(Error::Io { what: "looking for a free port".to_owned(), source })
}
