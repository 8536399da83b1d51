//! The real host: the monotonic clock, the system's entropy, and non-blocking TCP and Unix sockets
//! over the poller.
//!
//! One socket operation per method, and no policy: retries, limits and buffers live with streams
//! and listeners.
//!
//! Invariants:
//! 1. Every descriptor is non-blocking and closed on exec before anybody sees it. Kept by
//!    `assert_private`.
//! 2. TCP sockets do not delay small writes (`TCP_NODELAY`). Kept by `assert_private`.
//! 3. Instants of all real kernels of a process count from the same origin. Kept by
//!    `a_remote_knows_the_loops_thread_and_its_clock`.

pub(crate) mod accept_errors;
pub(crate) mod clock;
#[cfg(target_os = "linux")]
mod epoll;
pub(crate) mod lines;
pub(crate) mod look_up;
pub(crate) mod memory;
pub(crate) mod poller;
pub(crate) mod rlimit;
pub(crate) mod selector;
pub(crate) mod signals;
pub(crate) mod socket;
#[cfg(target_os = "linux")]
mod timerfd;

use crate::host::os::clock::{clock, coarse_clock};
use crate::host::os::poller::Registered;
use crate::host::os::selector::Selector;
use crate::host::os::socket::{RealSocket, resolved, set_buffers};
use crate::host::ready::{Key, Readiness, Resolved, Waited, Waker};
use crate::host::throttle::may_log;
use crate::host::time::Clock;
use crate::host::time::Instant;
use crate::host::{Acceptor, AnySocket, Host, Mode};
use socket2::{Domain, SockAddr, Socket as RawSocket, Type};
use std::fs::Permissions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Connections that the system may hold for us before they are accepted.
const BACKLOG: i32 = 4096;

const READ: Readiness = Readiness { readable: true, writable: false };
const WRITE: Readiness = Readiness { readable: false, writable: true };

/// The operating system, as one kernel sees it.
#[derive(Debug)]
pub(crate) struct RealHost {
    selector: Rc<Selector>,
    /// `None` where the system has no such thing, or forbids it.
    #[cfg(target_os = "linux")]
    alarm: Option<timerfd::Alarm>,
}

impl RealHost {
    pub(crate) fn new() -> io::Result<Self> {
        let selector = Rc::new(Selector::new()?);
        Ok(Self {
            #[cfg(target_os = "linux")]
            alarm: timerfd::Alarm::new(&selector).ok(),
            selector,
        })
    }
}

#[derive(Debug)]
struct RealClock;

impl Clock for RealClock {
    fn coarse(&self) -> Instant {
        coarse_clock()
    }
}

impl Host for RealHost {
    fn mode(&self) -> Mode {
        Mode::Real
    }

    fn now(&self) -> Instant {
        clock()
    }

    fn entropy(&self) -> io::Result<Zeroizing<[u8; 32]>> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(io::Error::other)?;
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
            let waited = self.selector.wait(alarm.time_out(until, clock), ready)?;
            // The timer is the host's own: nobody above knows its key.
            ready.retain(|(key, _)| !alarm.rang(*key));
            return Ok(waited);
        }
        let time_out = until.map(|until| until.since(clock()));
        self.selector.wait(time_out, ready)
    }

    fn waker(&self) -> Option<Waker> {
        let poller = self.selector.poller().clone();
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
        Ok(AnySocket::Real(RealSocket(Registered::new(&self.selector, socket, key, WRITE)?)))
    }

    fn listen(&self, key: Key, at: &Resolved, is_private: bool) -> io::Result<Box<dyn Acceptor>> {
        let (socket, address) = open(at)?;
        let file = match at {
            Resolved::Unix(path) => {
                let file = bind_file(&socket, &address, path)?;
                if is_private {
                    // Nobody can connect yet: the socket does not listen.
                    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
                }
                Some(file)
            }
            _ => {
                socket.set_reuse_address(true)?;
                socket.bind(&address)?;
                None
            }
        };
        socket.listen(BACKLOG)?;
        let socket = Registered::new(&self.selector, socket, key, READ)?;
        Ok(Box::new(RealAcceptor { socket, selector: self.selector.clone(), _file: file }))
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

    fn selector(&self) -> Option<&Rc<Selector>> {
        Some(&self.selector)
    }
}

/// Makes a non-blocking socket of the right family, and returns it with the address in the system's
/// form.
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
    // Else a small write would wait for the acknowledgement of the one before.
    if domain != Domain::UNIX {
        socket.set_tcp_nodelay(true)?;
    }
    assert_private(&socket, domain != Domain::UNIX);
    Ok((socket, address))
}

/// Asserts what holds of a socket before anybody sees it.
fn assert_private(socket: &RawSocket, is_tcp: bool) {
    let status = || rustix::fs::fcntl_getfl(socket);
    debug_assert!(
        status().is_ok_and(|flags| flags.contains(rustix::fs::OFlags::NONBLOCK)),
        "one descriptor that blocks stops the whole loop"
    );
    debug_assert!(
        rustix::io::fcntl_getfd(socket)
            .is_ok_and(|flags| flags.contains(rustix::io::FdFlags::CLOEXEC)),
        "a child that inherits a descriptor keeps the connection open"
    );
    debug_assert!(!is_tcp || socket.tcp_nodelay().is_ok_and(|on| on), "small writes leave at once");
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
        // A successor may have put its own file in this place.
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode);
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            log::warn!("cannot remove the socket file {}: {error}", self.path.display());
        }
    }
}

#[derive(Debug)]
struct RealAcceptor {
    // Closed before its file goes, so that whoever finds the file finds a listener.
    socket: Registered<RawSocket>,
    selector: Rc<Selector>,
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
        assert_private(&socket, !peer.is_unix());
        Ok(AnySocket::Real(RealSocket(Registered::new(&self.selector, socket, key(), READ)?)))
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
