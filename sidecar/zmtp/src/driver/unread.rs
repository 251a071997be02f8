//! How much of what we wrote the peer has not read yet, and whether the peer is still there.
//!
//! The only unsafe code of this crate: rustix has no wrapper for this ioctl.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// `SIOCOUTQ` (linux/sockios.h), the same number as `TIOCOUTQ`.
const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;

/// Bytes in the send queue. On a unix socket at least the bytes that the peer has not read (it
/// counts buffers, not contents); on tcp those that its kernel has not acknowledged. Falls to 0
/// when a peer dies: ask [`hung_up`] afterwards.
#[allow(unsafe_code, reason = "rustix cannot know this ioctl's argument type, see SAFETY")]
pub(super) fn unread(socket: impl AsFd) -> io::Result<u64> {
    // SAFETY: for SIOCOUTQ the kernel writes exactly one `int` through the pointer (unix(7),
    // tcp(7)), which is the getter's output type, and reads nothing.
    let bytes = unsafe {
        let getter = rustix::ioctl::Getter::<SIOCOUTQ, std::ffi::c_int>::new();
        rustix::ioctl::ioctl(socket, getter)?
    };
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Whether the peer has closed, or the connection has failed.
pub(super) fn hung_up(socket: impl AsFd) -> io::Result<bool> {
    let mut polled = [PollFd::new(&socket, PollFlags::RDHUP)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    Ok(polled[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn unread_bytes_drop_as_the_peer_reads() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        assert_eq!(unread(&ours).unwrap(), 0);
        ours.write_all(&[7; 10_000]).unwrap();
        ours.write_all(&[7; 10_000]).unwrap();
        let full = unread(&ours).unwrap();
        assert!(full >= 20_000, "{full}");
        theirs.read_exact(&mut [0; 10_000]).unwrap();
        let half = unread(&ours).unwrap();
        assert!((10_000..full).contains(&half), "{half} of {full}");
        theirs.read_exact(&mut [0; 10_000]).unwrap();
        assert_eq!(unread(&ours).unwrap(), 0);
        assert!(!hung_up(&ours).unwrap());
    }

    #[test]
    fn a_dead_peer_reads_as_zero_but_hangs_up() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(&[7; 10_000]).unwrap();
        assert!(!hung_up(&ours).unwrap());
        drop(theirs);
        assert_eq!(unread(&ours).unwrap(), 0);
        assert!(hung_up(&ours).unwrap());
    }
}
