//! From addresses as people write them to addresses that a host can dial.
//!
//! Invariants:
//! 1. What needs no asking is answered on the loop: literals, `localhost`, Unix and simulated
//!    addresses. Kept by `literals_need_no_asking`.
//! 2. Names are looked up elsewhere, by `lookups`, since the system's resolver blocks. Kept by
//!    `names_are_asked_for_and_never_listened_on`.

use crate::host::ready::Resolved;
use crate::io::address::Address;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Returns the addresses meant, if that is known without asking; otherwise the name to look up.
pub(crate) fn at_once(address: &Address) -> Result<Vec<Resolved>, (String, u16)> {
    match address {
        Address::Unix { path, .. } => Ok(vec![Resolved::Unix(path.clone())]),
        Address::Sim { name, .. } => Ok(vec![Resolved::Sim(name.clone())]),
        Address::Inet { host, port, .. } => {
            if let Ok(ip) = host.parse() {
                return Ok(vec![inet(ip, *port)]);
            }
            if host.eq_ignore_ascii_case("localhost") {
                let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
                return Ok(both.map(|ip| inet(ip, *port)).to_vec());
            }
            Err((host.clone(), *port))
        }
    }
}

/// Returns the place at another port, where there are ports.
pub(crate) fn with_port(place: Resolved, port: u16) -> Resolved {
    match place {
        Resolved::Inet(mut socket) => {
            socket.set_port(port);
            Resolved::Inet(socket)
        }
        other => other,
    }
}

/// Returns where to listen. Names are not looked up here, since that would block the loop.
pub(crate) fn for_listening(address: &Address) -> io::Result<Resolved> {
    let first = at_once(address).ok().and_then(|found| found.into_iter().next());
    first.ok_or_else(|| {
        let hint = "give an IP address of this machine, or localhost";
        io::Error::new(ErrorKind::InvalidInput, hint)
    })
}

fn inet(ip: IpAddr, port: u16) -> Resolved {
    Resolved::Inet(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(address: &str) -> Result<Vec<String>, (String, u16)> {
        let found = at_once(&address.parse().unwrap())?;
        Ok(found.into_iter().map(|one| Address::from_resolved(one).to_string()).collect())
    }

    #[test]
    fn localhost_is_ipv4_first() {
        assert_eq!(shown("inet:localhost:1").unwrap(), ["inet:127.0.0.1:1", "inet:[::1]:1"]);
    }

    #[test]
    fn literals_need_no_asking() {
        for text in ["inet:[2001:db8::1]:1", "inet:10.0.0.1:2", "unix:/x", "sim:x"] {
            assert_eq!(shown(text).unwrap(), [text]);
        }
    }

    #[test]
    fn names_are_asked_for_and_never_listened_on() {
        assert_eq!(shown("inet:example.org:9"), Err(("example.org".into(), 9)));
        let error = for_listening(&"inet:example.org:9".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("give an IP address"));
    }

    #[test]
    fn the_port_is_that_of_the_address() {
        let place = with_port(inet("10.0.0.1".parse().unwrap(), 0), 80);
        assert_eq!(place, inet("10.0.0.1".parse().unwrap(), 80));
    }
}
