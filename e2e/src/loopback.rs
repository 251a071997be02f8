//! Addresses for pods: all of 127.0.0.0/8 is this machine.

use std::net::Ipv4Addr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rand::Rng as _;

/// Of a process, chosen at random, so that tests that run at the same time do not meet.
static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| {
    let network = rand::rng().random_range(1..0x7f_ffff_u32);
    AtomicU32::new(network << 1)
});

/// One that this process has not used: any port is free there.
pub fn address() -> Ipv4Addr {
    let host = NEXT.fetch_add(1, Ordering::Relaxed) & 0x00ff_ffff;
    Ipv4Addr::from(0x7f00_0000 | host.max(0x0001_0000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_differ_and_can_be_bound() {
        let (one, other) = (address(), address());
        assert_ne!(one, other);
        for address in [one, other] {
            assert!(address.is_loopback() && address != Ipv4Addr::LOCALHOST);
            std::net::TcpListener::bind((address, 0)).unwrap();
        }
    }
}
