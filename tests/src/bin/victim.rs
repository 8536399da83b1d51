//! The process that the tests of hostile conditions attack: a trial object on loopback, with the
//! default limits.

#![forbid(unsafe_code)]

use peers_rpc::Limits;
use peers_rpc::service::{self, Cli};
use peers_tests::trial::Trial;
use std::process::ExitCode;

const CLI: Cli = Cli {
    name: "victim",
    version: env!("CARGO_PKG_VERSION"),
    help: "victim: serves a trial object on a free port of localhost until it is ended\n",
    flags: &[],
};

fn main() -> ExitCode {
    service::run(&CLI, |_| {
        // No backtraces among the lines that tests read, whatever the environment asks.
        std::panic::set_hook(Box::new(|_| ()));
        let address = "inet:localhost:0".parse().expect("an address");
        service::serve(Limits::default(), |kernel, rpc| Trial::serve(kernel, rpc, &address))
    })
}
