//! Puts what a name stands for into the order in which it is tried.
//!
//! Invariant: families alternate, IPv4 first, each address once, otherwise in the resolver's order.

use crate::host::ready::Resolved;
use std::collections::VecDeque;
use std::io::ErrorKind;

/// Says what looking a name up has found, or why it found nothing.
pub(crate) type LookUpResult = Result<Vec<Resolved>, (ErrorKind, String)>;

/// Addresses tried for one name, at most.
const CANDIDATES: usize = 16;

/// Puts what a resolver has found into the order in which it is to be tried.
pub(crate) fn usable(name: &str, found: Vec<Resolved>) -> LookUpResult {
    let arranged = arrange(found);
    if arranged.is_empty() {
        return Err((ErrorKind::NotFound, format!("the name {name} has no address")));
    }
    Ok(arranged)
}

/// Arranges the addresses: each once, families alternating, IPv4 first.
fn arrange(found: Vec<Resolved>) -> Vec<Resolved> {
    let (mut first, mut second) = (VecDeque::new(), VecDeque::new());
    for place in found {
        let is_ipv6 = matches!(&place, Resolved::Inet(socket) if socket.is_ipv6());
        let family = if is_ipv6 { &mut second } else { &mut first };
        if !family.contains(&place) {
            family.push_back(place);
        }
    }
    // Alternating, so that a family without a route costs every other attempt at most.
    let mut arranged = Vec::new();
    while arranged.len() < CANDIDATES && !(first.is_empty() && second.is_empty()) {
        arranged.extend(first.pop_front());
        arranged.extend(second.pop_front());
    }
    arranged.truncate(CANDIDATES);
    arranged
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn arranged(hosts: &[&str]) -> Vec<String> {
        let found = hosts
            .iter()
            .map(|host| Resolved::Inet(SocketAddr::new(host.parse().unwrap(), 0)))
            .collect();
        let shown = arrange(found).into_iter().map(|place| match place {
            Resolved::Inet(socket) => socket.ip().to_string(),
            other => format!("{other:?}"),
        });
        shown.collect()
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
}
