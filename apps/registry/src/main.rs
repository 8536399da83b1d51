//! The binary `registry`: serves a registry, puts and gets from a command line, demonstrates
//! itself.

#![forbid(unsafe_code)]

mod demo;

use peers_registry::{NodeProxy, Registry};
use peers_rpc::{Address, Limits, SyncEndpoint};
use peers_service::{self as service, Arguments, Cli, Failure};
use std::process::ExitCode;

const CLI: Cli = Cli {
    name: "registry",
    version: env!("CARGO_PKG_VERSION"),
    help: include_str!("help.txt"),
    flags: &[],
};

fn main() -> ExitCode {
    service::run(&CLI, |arguments| {
        let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
        match words[..] {
            ["serve", address] => serve(&CLI.address(address)?, &arguments),
            ["put", address, key, value] => put(&CLI.address(address)?, key, value, &arguments),
            ["get", address, key] => get(&CLI.address(address)?, key, &arguments),
            ["demo"] => demo::run(),
            _ => Err(CLI.usage(&arguments)),
        }
    })
}

fn serve(address: &Address, arguments: &Arguments) -> Result<(), Failure> {
    service::serve(Limits::default(), arguments, |kernel, rpc, security| {
        Registry::serve(kernel, rpc, address, security)
    })
}

fn get(address: &Address, key: &str, arguments: &Arguments) -> Result<(), Failure> {
    let peers = service::client(arguments)?;
    let node: NodeProxy<SyncEndpoint> = NodeProxy::new(peers.connect(address)?);
    let value = arguments.timed(node.get(key)).wait();
    service::print(&value.map_err(|error| Failure::of_call(address, &error))?)
}

/// Puts a value. An event has no answer, so a `get` follows it: requests start in order, and its
/// answer says that the event arrived.
fn put(address: &Address, key: &str, value: &str, arguments: &Arguments) -> Result<(), Failure> {
    let peers = service::client(arguments)?;
    let node: NodeProxy<SyncEndpoint> = NodeProxy::new(peers.connect(address)?);
    let sent = node.put(key, value).and_then(|()| arguments.timed(node.get(key)).wait());
    sent.map(drop).map_err(|error| Failure::of_call(address, &error))
}
