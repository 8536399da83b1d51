//! A connected socket of the system, non-blocking, TCP or Unix.

use crate::host::os::poller::Registered;
use crate::host::ready::{Key, Readiness, Resolved};
use crate::host::socket::{Credentials, Socket};
use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, recv};
use socket2::{SockAddr, Socket as RawSocket};
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::path::Path;
use std::time::Duration;

/// Says how many bytes are more than a few: see [`is_slow`].
const NEAR: usize = 16;
const PAGE: usize = 4096;

/// The number that the system gives for a socket to which nothing came, or of a kind that is not
/// looked at.
#[cfg(target_os = "linux")]
const NO_PROCESSOR: u32 = u32::MAX;

/// A stream socket of the system.
#[derive(Debug)]
pub(crate) struct RealSocket(pub(crate) Registered<RawSocket>);

impl Socket for RealSocket {
    fn key(&self) -> Key {
        self.0.key()
    }

    fn connected(&self) -> io::Result<()> {
        let socket = self.0.io();
        self.0.rearm();
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        let peer = match socket.peer_addr() {
            Err(error) if error.kind() == ErrorKind::NotConnected => {
                return Err(ErrorKind::WouldBlock.into());
            }
            other => other?,
        };
        // Dialling a free port of one's own machine can meet oneself when the system picks that
        // very port for our end.
        if peer.is_ipv4() || peer.is_ipv6() {
            let local = socket.local_addr()?;
            if local == peer {
                return Err(ErrorKind::ConnectionRefused.into());
            }
        }
        Ok(())
    }

    fn read(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        let result = recv(self.0.io(), spare_capacity(into), RecvFlags::empty());
        self.0.rearm();
        Ok(result?.0)
    }

    fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        let result = recv(self.0.io(), into, RecvFlags::empty());
        self.0.rearm();
        Ok(result?.0)
    }

    fn unread(&self) -> io::Result<usize> {
        Ok(rustix::io::ioctl_fionread(self.0.io())? as usize)
    }

    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = match parts {
            [part] => self.0.io().send(part),
            parts => self.0.io().send_vectored(parts),
        };
        self.0.rearm();
        result
    }

    fn sends_slowly(&self, address: usize, head: usize) -> bool {
        is_slow(address, head)
    }

    /// Asks which processor took in what came: over the loopback interface it is the one that sent
    /// it.
    #[cfg(target_os = "linux")]
    fn is_peer_on_other_cpu(&self) -> bool {
        let theirs = rustix::net::sockopt::socket_incoming_cpu(self.0.io());
        let ours = rustix::thread::sched_getcpu();
        theirs.is_ok_and(|theirs| theirs != NO_PROCESSOR && theirs as usize != ours)
    }

    #[cfg(not(target_os = "linux"))]
    fn is_peer_on_other_cpu(&self) -> bool {
        false
    }

    fn shutdown(&self) -> io::Result<()> {
        self.0.io().shutdown(Shutdown::Write)
    }

    fn interest(&self, wanted: Readiness) -> io::Result<()> {
        self.0.set_interest(wanted)
    }

    fn reset_on_close(&self) -> io::Result<()> {
        self.0.io().set_linger(Some(Duration::ZERO))
    }

    fn set_buffers(&self, bytes: usize) -> io::Result<()> {
        set_buffers(self.0.io(), bytes)
    }

    #[cfg(target_os = "linux")]
    fn set_patience(&self, patience: Duration) -> io::Result<()> {
        // The system's type is a signed one.
        let most = Duration::from_millis(i32::MAX as u64);
        match self.0.io().set_tcp_user_timeout(Some(patience.min(most))) {
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()), // it is no TCP socket
            decided => decided,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn set_patience(&self, _: Duration) -> io::Result<()> {
        Ok(())
    }

    fn local(&self) -> io::Result<Resolved> {
        resolved(&self.0.io().local_addr()?)
    }

    fn peer(&self) -> io::Result<Resolved> {
        resolved(&self.0.io().peer_addr()?)
    }

    #[cfg(target_os = "linux")]
    fn credentials(&self) -> Option<Credentials> {
        // Of other sockets the system answers as well, with nonsense.
        let is_unix = self.0.io().local_addr().is_ok_and(|address| address.is_unix());
        let found = is_unix.then(|| rustix::net::sockopt::socket_peercred(self.0.io()))?.ok()?;
        // Zero where the process has no number in our namespace, which the type does not foresee.
        let pid = Some(found.pid.as_raw_pid()).filter(|pid| *pid > 0);
        Some(Credentials { uid: found.uid.as_raw(), gid: found.gid.as_raw(), pid })
    }
}

/// Returns whether source and destination would collide modulo 4 KiB ("4K aliasing"), which makes
/// the system's copy several times slower. It copies `head` other bytes to the start of a page
/// first, so what lies at `address` goes to `head` bytes into one. What a system maps for one large
/// value begins 16 bytes into a page, and the head of a reply has 20.
fn is_slow(address: usize, head: usize) -> bool {
    (1..NEAR).contains(&(head.wrapping_sub(address) % PAGE))
}

pub(crate) fn set_buffers(socket: &socket2::Socket, bytes: usize) -> io::Result<()> {
    // More than the system's type can say is more than it would allow.
    let bytes = bytes.min(i32::MAX as usize);
    socket.set_send_buffer_size(bytes)?;
    socket.set_recv_buffer_size(bytes)
}

pub(crate) fn resolved(address: &SockAddr) -> io::Result<Resolved> {
    if address.is_unix() {
        // The dialling end has no name.
        return Ok(Resolved::Unix(address.as_pathname().map(Path::to_owned).unwrap_or_default()));
    }
    match address.as_socket() {
        Some(socket) => Ok(Resolved::Inet(socket)),
        None => Err(io::Error::new(ErrorKind::Unsupported, "an address of an unknown family")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detects_4k_aliasing() {
        for (address, head, slow) in [
            (0x7000, 0, false),
            (0x7000, 1, true),
            (0x7010, 20, true),
            (0x7010, 31, true),
            (0x7010, 32, false),
            (0x7010, 16, false),
            (0x7010, 15, false),
            (0x7ff0, 4085, true),
        ] {
            assert_eq!(is_slow(address, head), slow, "{address:x} behind {head}");
        }
    }
}
