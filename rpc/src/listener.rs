//! Accepting connections: who may, how many, and what is bound on each.

use crate::AlreadyBound;
use crate::endpoint::Endpoint;
use crate::link::Link;
use crate::rpc::Security;
use crate::session::CloseReason;
use crate::shared::Shared;
use peers_kernel::{Address, Stream};
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;

/// Listening on an address that others can reach, without having said that this is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsecureBind {
    /// The address asked for.
    pub address: Address,
}

impl fmt::Display for InsecureBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} can be reached by others, and nothing is encrypted: listen on localhost or a Unix socket, or say \
             Security::Insecure (--insecure on command lines)",
            self.address
        )
    }
}

impl std::error::Error for InsecureBind {}

/// A place where connections are accepted. Dropping it stops that; connections accepted before live on.
pub struct Listener {
    inner: peers_kernel::Listener,
}

impl Listener {
    pub(crate) fn open(
        shared: &Rc<Shared>,
        address: &Address,
        security: Option<Security>,
        accept: impl FnMut(Endpoint) -> Result<(), AlreadyBound> + 'static,
    ) -> io::Result<Self> {
        if security.is_none() && !is_private(address) {
            let refused = InsecureBind { address: address.clone() };
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, refused));
        }
        let door = Rc::new(Door {
            shared: Rc::downgrade(shared),
            address: RefCell::new(address.clone()),
            accept: RefCell::new(Box::new(accept)),
        });
        let open = door.clone();
        let inner = shared.handle.listen(address, move |stream| open.accept(stream))?;
        door.address.replace(inner.address().clone());
        Ok(Self { inner })
    }

    /// Where it listens: the address as given, port 0 replaced by the real one.
    pub fn address(&self) -> Address {
        self.inner.address().clone()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("address", &self.address()).finish_non_exhaustive()
    }
}

/// Whether only this machine can reach the address.
fn is_private(address: &Address) -> bool {
    match address {
        Address::Unix(_) | Address::Sim(_) => true,
        Address::Inet { host, .. } => is_loopback(host),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

type Accept = Box<dyn FnMut(Endpoint) -> Result<(), AlreadyBound>>;

/// What runs for each connection.
struct Door {
    shared: std::rc::Weak<Shared>,
    address: RefCell<Address>,
    accept: RefCell<Accept>,
}

impl Door {
    fn accept(&self, stream: Stream) {
        let Some(shared) = self.shared.upgrade() else { return };
        let dialler = stream.peer().unwrap_or_else(|_| Address::Unix("".into()));
        if let Some(why) = crowded(&shared, &dialler) {
            shared.counters.borrow_mut().crowded += 1;
            return shared.log(format_args!("turned a connection from {dialler} away: {why}"));
        }
        shared.counters.borrow_mut().accepted += 1;
        let here = stream.local().unwrap_or_else(|_| self.address.borrow().clone());
        let link = Link::accepted(&shared, dialler, here);
        let bound = (self.accept.borrow_mut())(link.endpoint().clone());
        match bound {
            Ok(()) => link.attach(stream),
            Err(error) => {
                shared.log(format_args!("closed a new connection: {error}"));
                link.end(CloseReason::Local);
            }
        }
    }
}

/// Why one more connection from there is too many, if it is.
fn crowded(shared: &Shared, dialler: &Address) -> Option<&'static str> {
    let limits = &shared.limits;
    let links = shared.links.borrow();
    if links.len() >= shared.connections {
        return Some("too many connections");
    }
    let Address::Inet { host, .. } = dialler else { return None };
    if is_loopback(host) {
        return None;
    }
    let mut half_open = 0;
    let mut same = 0;
    for (_, link) in links.iter() {
        half_open += usize::from(!link.has_met_peer());
        same += usize::from(link.is_from(host));
    }
    match () {
        () if half_open >= limits.half_open => Some("too many that have not said hello"),
        () if same >= limits.per_source => Some("too many from that address"),
        () => None,
    }
}
