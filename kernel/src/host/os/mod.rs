//! The real host: the monotonic clock, the system's entropy, and non-blocking TCP and Unix sockets
//! over the poller.
//!
//! One socket operation per method, and no policy: retries, limits and buffers live with streams
//! and listeners.
//!
//! Invariants:
//! 1. Every descriptor is non-blocking and closed on exec before anybody sees it.
//! 2. TCP sockets do not delay small writes (`TCP_NODELAY`).
//! 3. Instants of all real kernels of a process count from the same origin.

pub(crate) mod accept_errors;
#[cfg(target_os = "linux")]
mod epoll;
pub(crate) mod lines;
pub(crate) mod look_up;
pub(crate) mod memory;
pub(crate) mod poller;
pub(crate) mod rlimit;
pub(crate) mod signals;
#[cfg(target_os = "linux")]
mod timerfd;

use crate::host::os::poller::{Registered, Waiting};
use crate::host::throttle::may_log;
use crate::host::time::Clock;
use crate::host::time::Instant;
use crate::host::{Acceptor, AnySocket, Host, Key, Readiness, Resolved, Socket, Waited, Waker};
use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, recv};
use socket2::{Domain, SockAddr, Socket as RawSocket, Type};
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Connections that the system may hold for us before they are accepted.
const BACKLOG: i32 = 4096;
/// Says how many bytes are more than a few: see [`is_slow`].
const NEAR: usize = 16;
const PAGE: usize = 4096;

/// Is what the system says of a socket to which nothing came, or of a kind that is not looked at.
#[cfg(target_os = "linux")]
const NO_PROCESSOR: u32 = u32::MAX;

const READ: Readiness = Readiness { readable: true, writable: false };
const WRITE: Readiness = Readiness { readable: false, writable: true };

/// The operating system, as one kernel sees it.
#[derive(Debug)]
pub(crate) struct RealHost {
    waiting: Rc<Waiting>,
    /// Absent where the system has no such thing, or forbids it.
    #[cfg(target_os = "linux")]
    alarm: Option<timerfd::Alarm>,
}

impl RealHost {
    pub(crate) fn new() -> io::Result<Self> {
        let waiting = Rc::new(Waiting::new()?);
        Ok(Self {
            #[cfg(target_os = "linux")]
            alarm: timerfd::Alarm::new(&waiting).ok(),
            waiting,
        })
    }

    /// For sources and signals, which register descriptors of their own.
    pub(crate) fn waiting(&self) -> &Rc<Waiting> {
        &self.waiting
    }
}

/// Says where instants count from, on the system's clock.
static ORIGIN: OnceLock<u64> = OnceLock::new();

/// An instant as the system's clock says it.
#[cfg(target_os = "linux")]
pub(crate) fn nanos_of_system(instant: Instant) -> u64 {
    instant.as_nanos().saturating_add(ORIGIN.get().copied().unwrap_or_default())
}

/// One of the two places that read the clock.
pub(crate) fn clock() -> Instant {
    instant(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic))
}

/// The other one: as the system noted it at its last tick.
#[cfg(target_os = "linux")]
fn coarse_clock() -> Instant {
    instant(rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse))
}

#[cfg(not(target_os = "linux"))]
fn coarse_clock() -> Instant {
    clock()
}

#[inline]
fn instant(time: rustix::time::Timespec) -> Instant {
    // Neither is ever negative, nor beyond what nanoseconds of 64 bits can say for five centuries.
    let now = (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64);
    Instant::from_nanos(now.saturating_sub(*ORIGIN.get_or_init(|| now)))
}

#[derive(Debug)]
struct RealClock;

impl Clock for RealClock {
    fn coarse(&self) -> Instant {
        coarse_clock()
    }
}

impl Host for RealHost {
    fn now(&self) -> Instant {
        clock()
    }

    fn entropy(&self) -> io::Result<[u8; 32]> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        Ok(seed)
    }

    fn clock(&self) -> Box<dyn Clock> {
        Box::new(RealClock)
    }

    fn wait(
        &self,
        until: Option<Instant>,
        ready: &mut Vec<(Key, Readiness)>,
    ) -> io::Result<Waited> {
        #[cfg(target_os = "linux")]
        if let Some(alarm) = &self.alarm {
            let waited = self.waiting.wait(alarm.time_out(until, clock), ready)?;
            ready.retain(|(key, _)| !alarm.rang(*key));
            return Ok(waited);
        }
        let time_out = until.map(|until| until.since(clock()));
        self.waiting.wait(time_out, ready)
    }

    fn waker(&self) -> Option<Waker> {
        let poller = self.waiting.poller().clone();
        Some(Arc::new(move || {
            if let Err(error) = poller.notify()
                && may_log()
            {
                log::error!("cannot wake the loop: {error}");
            }
        }))
    }

    fn connect(&self, key: Key, to: &Resolved) -> io::Result<AnySocket> {
        let (socket, address) = open(to)?;
        // Connect first, then register: an unconnected socket reports a hang-up at once.
        match socket.connect(&address) {
            Ok(()) => {}
            Err(error) if under_way(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(AnySocket::Real(RealSocket(Registered::new(&self.waiting, socket, key, WRITE)?)))
    }

    fn listen(&self, key: Key, at: &Resolved) -> io::Result<Box<dyn Acceptor>> {
        let (socket, address) = open(at)?;
        let file = match at {
            Resolved::Unix(path) => Some(bind_file(&socket, &address, path)?),
            _ => {
                socket.set_reuse_address(true)?;
                socket.bind(&address)?;
                None
            }
        };
        socket.listen(BACKLOG)?;
        let socket = Registered::new(&self.waiting, socket, key, READ)?;
        Ok(Box::new(RealAcceptor { socket, waiting: self.waiting.clone(), _file: file }))
    }

    fn descriptor_limit(&self) -> Option<usize> {
        rlimit::descriptor_limit()
    }

    fn memory_limit(&self) -> Option<u64> {
        memory::memory_limit()
    }

    fn give_pages_back(&self) {
        memory::give_pages_back()
    }

    fn real(&self) -> Option<&RealHost> {
        Some(self)
    }
}

/// A new non-blocking socket of the right family, and the address in the system's form.
fn open(address: &Resolved) -> io::Result<(RawSocket, SockAddr)> {
    let (domain, address) = match address {
        Resolved::Inet(socket) => (Domain::for_address(*socket), SockAddr::from(*socket)),
        Resolved::Unix(path) => (Domain::UNIX, SockAddr::unix(path)?),
        Resolved::Sim(name) => {
            return Err(io::Error::new(
                ErrorKind::Unsupported,
                format!("sim:{name} exists only in a simulated world: use inet: or unix: here"),
            ));
        }
    };
    let socket = RawSocket::new(domain, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if domain != Domain::UNIX {
        socket.set_tcp_nodelay(true)?;
    }
    Ok((socket, address))
}

fn under_way(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

/// Binds a Unix socket, replacing the file of a listener that is no more.
fn bind_file(socket: &RawSocket, address: &SockAddr, path: &Path) -> io::Result<SocketFile> {
    match socket.bind(address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_abandoned(address, path) => {
            log::info!("removing the socket file {} that nobody answers on", path.display());
            std::fs::remove_file(path)?;
            socket.bind(address)?;
        }
        other => other?,
    }
    let made = std::fs::symlink_metadata(path)?;
    Ok(SocketFile { path: path.to_owned(), device: made.dev(), inode: made.ino() })
}

/// Returns whether `path` is a socket on which nobody listens. In doubt it is not.
fn is_abandoned(address: &SockAddr, path: &Path) -> bool {
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let refused = || {
        let probe = RawSocket::new(Domain::UNIX, Type::STREAM, None)?;
        probe.set_nonblocking(true)?;
        probe.connect(address)
    };
    is_socket && refused().is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// The file of a listening Unix socket; removed on drop iff it is still the one that was made.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode);
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            log::warn!("cannot remove the socket file {}: {error}", self.path.display());
        }
    }
}

/// A stream socket of the system.
#[derive(Debug)]
pub(crate) struct RealSocket(Registered<RawSocket>);

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
    fn is_beside(&self) -> bool {
        let theirs = rustix::net::sockopt::socket_incoming_cpu(self.0.io());
        let ours = rustix::thread::sched_getcpu();
        theirs.is_ok_and(|theirs| theirs != NO_PROCESSOR && theirs as usize != ours)
    }

    #[cfg(not(target_os = "linux"))]
    fn is_beside(&self) -> bool {
        false
    }

    fn shutdown(&self) -> io::Result<()> {
        self.0.io().shutdown(Shutdown::Write)
    }

    fn interest(&self, wanted: Readiness) -> io::Result<()> {
        self.0.set_interest(wanted)
    }

    fn forsake(&self) -> io::Result<()> {
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
}

#[derive(Debug)]
struct RealAcceptor {
    // Closed before its file goes, so that whoever finds the file finds a listener.
    socket: Registered<RawSocket>,
    waiting: Rc<Waiting>,
    _file: Option<SocketFile>,
}

impl Acceptor for RealAcceptor {
    fn accept(&self, key: &mut dyn FnMut() -> Key) -> io::Result<AnySocket> {
        let accepted = self.socket.io().accept();
        self.socket.rearm();
        let (socket, peer) = accepted?;
        socket.set_nonblocking(true)?;
        if !peer.is_unix() {
            socket.set_tcp_nodelay(true)?;
        }
        Ok(AnySocket::Real(RealSocket(Registered::new(&self.waiting, socket, key(), READ)?)))
    }

    fn interest(&self, readable: bool) -> io::Result<()> {
        self.socket.set_interest(Readiness { readable, writable: false })
    }

    fn set_buffers(&self, bytes: usize) -> io::Result<()> {
        set_buffers(self.socket.io(), bytes)
    }

    fn local(&self) -> io::Result<Resolved> {
        resolved(&self.socket.io().local_addr()?)
    }
}

/// Returns whether the system may take long to copy what lies at `address` behind `head` other
/// bytes: it copies to the start of a page, and some processors copy several times slower if the
/// target lies a few bytes behind the source within their pages. What a system maps for one large
/// value begins 16 bytes into a page, and the head of a reply has 20.
fn is_slow(address: usize, head: usize) -> bool {
    (1..NEAR).contains(&(head.wrapping_sub(address) % PAGE))
}

fn set_buffers(socket: &socket2::Socket, bytes: usize) -> io::Result<()> {
    // More than the system's type can say is more than it would allow.
    let bytes = bytes.min(i32::MAX as usize);
    socket.set_send_buffer_size(bytes)?;
    socket.set_recv_buffer_size(bytes)
}

fn resolved(address: &SockAddr) -> io::Result<Resolved> {
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
    fn it_is_slow_to_copy_to_shortly_behind_the_source_within_their_pages() {
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
