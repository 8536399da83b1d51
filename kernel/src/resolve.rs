//! From addresses as people write them to addresses that a host can dial.
//!
//! Invariants:
//! 1. What needs no asking is answered on the loop: literals, `localhost`, Unix and simulated
//!    addresses.
//! 2. Names are looked up elsewhere, by `lookups`, since the system's resolver blocks.
//! 3. Addresses of one name are tried families alternating, IPv4 first, each once, otherwise in the
//!    resolver's order.

use crate::address::Address;
use crate::host::Resolved;
use crate::lookups::Answer;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

/// Addresses tried for one name, at most.
const CANDIDATES: usize = 16;

/// The addresses meant, if that is known without asking; otherwise the name to look up.
pub(crate) fn at_once(address: &Address) -> Result<Vec<Resolved>, (String, u16)> {
    match address {
        Address::Unix(path) => Ok(vec![Resolved::Unix(path.clone())]),
        Address::Sim(name) => Ok(vec![Resolved::Sim(name.clone())]),
        Address::Inet { host, port } => {
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

/// Asks the system's resolver. Blocks: for threads of `lookups` only.
pub(crate) fn ask_system(host: &str) -> Answer {
    match (host, 0).to_socket_addrs() {
        Ok(found) => usable(host, found.map(Resolved::Inet).collect()),
        Err(error) => {
            // The system has one kind of error for all of these; ours says that it is about the
            // name.
            let advice = "is the name right, and does this machine's name service answer?";
            Err((ErrorKind::NotFound, format!("{error}; {advice}")))
        }
    }
}

/// Puts what a resolver has found into the order in which it is to be tried.
pub(crate) fn usable(name: &str, found: Vec<Resolved>) -> Answer {
    let arranged = arrange(found);
    if arranged.is_empty() {
        return Err((ErrorKind::NotFound, format!("the name {name} has no address")));
    }
    Ok(arranged)
}

/// Each address once, families alternating, IPv4 first.
fn arrange(found: Vec<Resolved>) -> Vec<Resolved> {
    let (mut first, mut second) = (VecDeque::new(), VecDeque::new());
    for place in found {
        let is_ipv6 = matches!(&place, Resolved::Inet(socket) if socket.is_ipv6());
        let family = if is_ipv6 { &mut second } else { &mut first };
        if !family.contains(&place) {
            family.push_back(place);
        }
    }
    let mut arranged = Vec::new();
    while arranged.len() < CANDIDATES && !(first.is_empty() && second.is_empty()) {
        arranged.extend(first.pop_front());
        arranged.extend(second.pop_front());
    }
    arranged.truncate(CANDIDATES);
    arranged
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

    fn arranged(hosts: &[&str]) -> Vec<String> {
        let found = hosts.iter().map(|host| inet(host.parse().unwrap(), 0)).collect();
        let shown = arrange(found).into_iter().map(|place| match place {
            Resolved::Inet(socket) => socket.ip().to_string(),
            other => format!("{other:?}"),
        });
        shown.collect()
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
    fn families_alternate_and_ipv4_is_first() {
        assert_eq!(
            arranged(&["::1", "::2", "::3", "10.0.0.1", "10.0.0.2"]),
            ["10.0.0.1", "::1", "10.0.0.2", "::2", "::3"]
        );
        assert_eq!(arranged(&["::1", "::2"]), ["::1", "::2"]);
        assert!(arranged(&[]).is_empty());
    }

    #[test]
    fn an_address_that_comes_twice_is_tried_once() {
        // As the system answers that is asked about all kinds of sockets, or with a name that
        // stands twice in a file.
        let twice = ["10.0.0.1", "::1", "10.0.0.2", "10.0.0.1", "::1", "10.0.0.1"];
        assert_eq!(arranged(&twice), ["10.0.0.1", "::1", "10.0.0.2"]);
    }

    #[test]
    fn only_so_many_addresses_are_tried() {
        let many: Vec<String> = (0..40).map(|n| format!("10.0.0.{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(arranged(&many), many[..CANDIDATES]);
        assert_eq!(arranged(&many[..CANDIDATES - 1]).len(), CANDIDATES - 1);
    }

    #[test]
    fn a_name_without_addresses_is_said_to_have_none() {
        let (kind, text) = usable("db", Vec::new()).unwrap_err();
        assert_eq!((kind, text.as_str()), (ErrorKind::NotFound, "the name db has no address"));
    }

    #[test]
    fn the_port_is_that_of_the_address() {
        let place = with_port(inet("10.0.0.1".parse().unwrap(), 0), 80);
        assert_eq!(place, inet("10.0.0.1".parse().unwrap(), 80));
    }
}
