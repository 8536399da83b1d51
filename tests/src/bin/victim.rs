//! The process that the tests of hostile conditions attack: a trial object on loopback, with the
//! default limits but for those that its environment names.

#![forbid(unsafe_code)]

use peers_rpc::Limits;
use peers_service::{self as service, Cli};
use peers_tests::trial::Trial;
use std::env;
use std::process::ExitCode;
use std::time::Duration;

const CLI: Cli = Cli {
    name: "victim",
    version: env!("CARGO_PKG_VERSION"),
    help: "victim: serves a trial object on a free port of localhost until it is ended\n",
    flags: &[],
};

fn main() -> ExitCode {
    service::run(&CLI, |arguments| {
        // No backtraces among the lines that tests read, whatever the environment asks.
        std::panic::set_hook(Box::new(|_| ()));
        let address = "inet:localhost:0".parse().expect("an address");
        service::serve(limits(), &arguments, |kernel, rpc, _| Trial::serve(kernel, rpc, &address))
    })
}

/// Returns the default limits, but for what the process may hold and for how long a peer may take
/// nothing, if the environment says so.
fn limits() -> Limits {
    let mut limits = Limits::default();
    let number = |name| env::var(name).ok().map(|text| text.parse().expect(name));
    if let Some(bytes) = number("VICTIM_BYTES") {
        limits.process_bytes = bytes;
    }
    if let Some(seconds) = number("VICTIM_PATIENCE") {
        limits.write_stall_timeout = Duration::from_secs(seconds as u64);
    }
    limits
}
