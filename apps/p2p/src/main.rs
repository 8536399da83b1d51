//! The binary `p2p`: serves a node of the network, asks from a command line, demonstrates itself.

#![forbid(unsafe_code)]

mod demo;

use peers_p2p::{Findings, NoSuchKey, P2pNode, P2pNodeProxy};
use peers_rpc::wire::DecodeOwned;
use peers_rpc::{Address, Error, SyncCall, SyncEndpoint};
use peers_service::{self as service, Arguments, Cli, Failure};
use std::collections::BTreeSet;
use std::process::ExitCode;

const CLI: Cli = Cli {
    name: "p2p",
    version: env!("CARGO_PKG_VERSION"),
    help: include_str!("help.txt"),
    flags: &["by-id", "count"],
};

fn main() -> ExitCode {
    service::run(&CLI, |arguments| {
        let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
        match words[..] {
            ["serve", address, ref peers @ ..] => serve(address, peers, &arguments),
            ["put", address, key, value] => put(&CLI.address(address)?, key, value, &arguments),
            ["get", address, key] => get(&CLI.address(address)?, key, &arguments),
            ["get-all", address, key] => get_all(&CLI.address(address)?, key, &arguments),
            ["demo"] => demo::run(),
            _ => Err(CLI.usage(&arguments)),
        }
    })
}

fn serve(address: &str, peers: &[&str], arguments: &Arguments) -> Result<(), Failure> {
    let (address, peers) = (CLI.address(address)?, CLI.addresses(peers)?);
    service::serve(peers_p2p::limits(), arguments, |kernel, rpc, security| {
        let node = P2pNode::new(Box::new(service::say));
        node.serve(kernel, rpc, &address, &peers, security)
    })
}

fn get(address: &Address, key: &str, arguments: &Arguments) -> Result<(), Failure> {
    let peers = service::client(arguments)?;
    let node: P2pNodeProxy<SyncEndpoint> = P2pNodeProxy::new(peers.connect(address)?);
    let value = wait(address, node.get(key), arguments)?;
    service::print(&value)
}

/// Puts a value. An event has no answer, so a `get` follows it, which the node answers from its own
/// store.
fn put(address: &Address, key: &str, value: &str, arguments: &Arguments) -> Result<(), Failure> {
    let peers = service::client(arguments)?;
    let node: P2pNodeProxy<SyncEndpoint> = P2pNodeProxy::new(peers.connect(address)?);
    node.put(key, value).map_err(|error| Failure::of_call(address, &error))?;
    wait(address, node.get(key), arguments).map(drop)
}

fn get_all(address: &Address, key: &str, arguments: &Arguments) -> Result<(), Failure> {
    let peers = service::client(arguments)?;
    let node: P2pNodeProxy<SyncEndpoint> = P2pNodeProxy::new(peers.connect(address)?);
    let by_visited = || wait(address, node.get_all_counted(key, []), arguments);
    match (arguments.has("by-id"), arguments.has("count")) {
        (false, false) => print_all(&wait(address, node.get_all(key), arguments)?),
        (false, true) => {
            let found = by_visited()?;
            print_found(&found)?;
            service::print(&format!("requests: {} by visited nodes", bill(&found)))
        }
        (true, false) => print_found(&wait(address, node.search(key), arguments)?),
        (true, true) => {
            let found = wait(address, node.search(key), arguments)?;
            print_found(&found)?;
            let (by_id, by_visited) = (bill(&found), bill(&by_visited()?));
            service::print(&format!("requests: {by_id} by query id, {by_visited} by visited nodes"))
        }
    }
}

fn print_found(found: &Findings) -> Result<(), Failure> {
    if found.exhausted {
        log::warn!("there may be more: a bound, a time-out or a refusal cut a branch short");
    }
    if found.broken {
        log::warn!("there may be more: a connection ended in the middle of the search");
    }
    print_all(&found.values)
}

/// Says how many requests were sent. A branch that did not answer cost more than is known here.
fn bill(found: &Findings) -> String {
    let at_least = if found.exhausted || found.broken { "at least " } else { "" };
    format!("{at_least}{}", found.requests)
}

fn print_all(values: &BTreeSet<String>) -> Result<(), Failure> {
    values.iter().try_for_each(|value| service::print(value))
}

fn wait<T: DecodeOwned + Send + 'static>(
    address: &Address,
    call: SyncCall<T>,
    arguments: &Arguments,
) -> Result<T, Failure> {
    arguments.timed(call).wait().map_err(|error| explain(address, &error))
}

fn explain(address: &Address, error: &Error) -> Failure {
    let mut failure = Failure::of_call(address, error);
    // The exception alone reads as if the whole network had been asked.
    if error.is::<NoSuchKey>() {
        failure.text.push_str("\nno node that could be asked has it");
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bill_of_a_search_that_was_cut_says_at_least() {
        let whole = Findings { requests: 9, ..Findings::default() };
        assert_eq!(bill(&whole), "9");
        let cut = Findings { exhausted: true, ..whole.clone() };
        assert_eq!(bill(&cut), "at least 9");
        let broken = Findings { broken: true, ..whole };
        assert_eq!(bill(&broken), "at least 9");
    }
}
