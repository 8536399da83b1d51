//! Names of endpoints, as they are printed: `[HEX]@{{AF_INET:127.0.0.1:5000}}`.
//!
//! The hex digits are the id of the *listening* node, whoever prints them, so both ends of a connection and all its
//! clients name it alike. A dialled endpoint shows the address it dialled in two braces; an accepted one shows the
//! dialler's address, then its own, in three.

use peers_kernel::Address;
use peers_wire::NodeId;
use std::fmt;

/// One address as endpoint names show it: `{AF_INET:127.0.0.1:5000}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Site(pub(crate) Address);

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Inet { host, port } if host.contains(':') => {
                write!(f, "{{AF_INET6:[{host}]:{port}}}")
            }
            Address::Inet { host, port } => write!(f, "{{AF_INET:{host}:{port}}}"),
            Address::Unix(path) => write!(f, "{{AF_UNIX:{}}}", path.display()),
            Address::Sim(name) => write!(f, "{{AF_SIM:{name}}}"),
        }
    }
}

/// Which side of a connection this end is, with the addresses it knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ends {
    /// This side dialled the address.
    Dialled(Site),
    /// This side accepted a connection from the first at the second.
    Accepted(Site, Site),
}

/// The printed form of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointName {
    pub(crate) listener: Option<NodeId>,
    pub(crate) ends: Ends,
}

impl EndpointName {
    /// The id of the listening node; `None` on a dialled endpoint whose hello has not come yet.
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
        Site(Address::Inet { host: host.to_owned(), port })
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
        assert_eq!(Site(Address::Unix("/run/x".into())).to_string(), "{AF_UNIX:/run/x}");
        assert_eq!(Site(Address::Sim("n1".into())).to_string(), "{AF_SIM:n1}");
    }
}
