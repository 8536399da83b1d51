//! Names of endpoints, as they are printed: `[HEX]@{{AF_INET:127.0.0.1:5000}}`.
//!
//! The hex digits are the id of the *listening* node, whoever prints them, so both ends of a
//! connection and all its clients name it alike. A dialled endpoint shows the address it dialled in
//! two braces; an accepted one shows the dialler's address, then its own, in three.

use peers_kernel::Address;
use peers_wire::NodeId;
use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::rc::Rc;

/// One address as endpoint names show it: `{AF_INET:127.0.0.1:5000}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Site(pub(crate) Address);

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Inet { host, port, .. } if host.contains(':') => {
                write!(f, "{{AF_INET6:[{host}]:{port}}}")
            }
            Address::Inet { host, port, .. } => write!(f, "{{AF_INET:{host}:{port}}}"),
            Address::Unix { path, .. } => write!(f, "{{AF_UNIX:{}}}", path.display()),
            Address::Sim { name, .. } => write!(f, "{{AF_SIM:{name}}}"),
        }
    }
}

/// Says which side of a connection this end is, with the addresses it knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ends {
    /// This side dialled the address.
    Dialled(Site),
    /// This side accepted a connection from the first at the second.
    Accepted(Site, Site),
}

/// Holds the ends as a connection keeps them: small, because most of those that one listener
/// accepts share its address.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// This side dialled the address.
    Dialled(Rc<Address>),
    /// This side accepted a connection over IPv4 from the first at the second.
    Inet4(SocketAddrV4, Rc<Address>),
    /// This side accepted a connection of any other kind, likewise.
    Accepted(Rc<(Address, Address)>),
}

const _: () = assert!(size_of::<Route>() <= 16, "each connection has one");

impl Route {
    /// Returns the ends of a connection accepted from `dialler` at `listener`. What is the same as
    /// in `like` is shared with it.
    pub(crate) fn accepted(dialler: Address, listener: Address, like: Option<&Self>) -> Self {
        match (inet4(&dialler), like) {
            // All connections of one listener share its address: it is kept once.
            (Some(from), Some(Self::Inet4(_, at))) if **at == listener => {
                Self::Inet4(from, at.clone())
            }
            (Some(from), _) => Self::Inet4(from, Rc::new(listener)),
            (None, Some(Self::Accepted(both))) if both.0 == dialler && both.1 == listener => {
                Self::Accepted(both.clone())
            }
            (None, _) => Self::Accepted(Rc::new((dialler, listener))),
        }
    }

    /// Returns whom it was accepted from, if that was over a network.
    pub(crate) fn source(&self) -> Option<IpAddr> {
        match self {
            Self::Dialled(_) => None,
            Self::Inet4(from, _) => Some((*from.ip()).into()),
            Self::Accepted(both) => ip(&both.0),
        }
    }

    /// Returns whether the other end is on this machine, or in this simulated world.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Dialled(there) => there.is_local(),
            Self::Inet4(from, _) => Address::is_local_host(&(*from.ip()).into()),
            Self::Accepted(both) => both.0.is_local(),
        }
    }

    /// Returns the addresses, in full.
    pub(crate) fn ends(&self) -> Ends {
        match self {
            Self::Dialled(listener) => Ends::Dialled(Site((**listener).clone())),
            Self::Inet4(from, listener) => Ends::Accepted(
                Site(Address::from(SocketAddr::V4(*from))),
                Site((**listener).clone()),
            ),
            Self::Accepted(both) => Ends::Accepted(Site(both.0.clone()), Site(both.1.clone())),
        }
    }
}

fn inet4(address: &Address) -> Option<SocketAddrV4> {
    match address {
        Address::Inet { host, port, .. } => Some(SocketAddrV4::new(host.parse().ok()?, *port)),
        _ => None,
    }
}

/// Returns the number of a host that is named by one.
pub(crate) fn ip(address: &Address) -> Option<IpAddr> {
    match address {
        Address::Inet { host, .. } => host.parse().ok(),
        _ => None,
    }
}

/// The printed form of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointName {
    pub(crate) listener: Option<NodeId>,
    pub(crate) ends: Ends,
}

impl EndpointName {
    /// Returns the id of the listening node; `None` on a dialled endpoint whose hello has not come
    /// yet.
    pub fn node(&self) -> Option<NodeId> {
        self.listener
    }
}

/// `[HEX]@{{SITE}}` or `[HEX]@{{{SITE}:{SITE}}}`; `[?]` while the listening node is unknown.
impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.listener {
            Some(node) => write!(f, "[{node}]@")?,
            None => f.write_str("[?]@")?,
        }
        match &self.ends {
            Ends::Dialled(listener) => write!(f, "{{{listener}}}"),
            Ends::Accepted(dialler, listener) => write!(f, "{{{{{dialler}:{listener}}}}}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inet(host: &str, port: u16) -> Site {
        Site(Address::inet(host, port))
    }

    #[test]
    fn a_dialled_endpoint_prints_two_braces() {
        let name = EndpointName {
            listener: Some(NodeId::from_bits(0x75d49e957679a9f338365db6c61b1c)),
            ends: Ends::Dialled(inet("127.0.0.1", 5000)),
        };
        assert_eq!(name.to_string(), "[75d49e957679a9f338365db6c61b1c]@{{AF_INET:127.0.0.1:5000}}");
    }

    #[test]
    fn an_accepted_endpoint_prints_three_braces_and_the_dialler_first() {
        let name = EndpointName {
            listener: Some(NodeId::from_bits(0xe3d3a2dd1645c8313f2c24bd71d10)),
            ends: Ends::Accepted(inet("127.0.0.1", 2759), inet("127.0.0.1", 5000)),
        };
        assert_eq!(
            name.to_string(),
            "[e3d3a2dd1645c8313f2c24bd71d10]@{{{AF_INET:127.0.0.1:2759}:{AF_INET:127.0.0.1:5000}}}"
        );
    }

    #[test]
    fn other_families_have_their_own_words() {
        assert_eq!(inet("::1", 5000).to_string(), "{AF_INET6:[::1]:5000}");
        assert_eq!(Site(Address::unix("/run/x")).to_string(), "{AF_UNIX:/run/x}");
        assert_eq!(Site(Address::sim("n1")).to_string(), "{AF_SIM:n1}");
    }

    #[test]
    fn a_route_names_both_ends_and_shares_what_it_can() {
        let here = || Address::inet("127.0.0.1", 5000);
        let from = |host: &str| Address::inet(host, 2759);
        let first = Route::accepted(from("127.0.0.1"), here(), None);
        let second = Route::accepted(from("192.0.2.7"), here(), Some(&first));
        assert_eq!(second.ends(), Ends::Accepted(inet("192.0.2.7", 2759), inet("127.0.0.1", 5000)));
        assert_eq!(second.source(), Some([192, 0, 2, 7].into()));
        let (Route::Inet4(_, a), Route::Inet4(_, b)) = (&first, &second) else { panic!("IPv4") };
        assert!(Rc::ptr_eq(a, b));

        let six = Route::accepted(from("2001:db8::7"), here(), Some(&second));
        assert_eq!(six.ends(), Ends::Accepted(inet("2001:db8::7", 2759), inet("127.0.0.1", 5000)));
        let unnamed = || Address::unix("");
        let first = Route::accepted(unnamed(), Address::unix("/x"), Some(&six));
        let second = Route::accepted(unnamed(), Address::unix("/x"), Some(&first));
        assert_eq!((second.source(), second.ends()), (None, first.ends()));
        let (Route::Accepted(a), Route::Accepted(b)) = (&first, &second) else { panic!("Unix") };
        assert!(Rc::ptr_eq(a, b));
    }
}
