//! The binary `numbers`: serves a loner or a herd's node, asks one from a command line,
//! demonstrates itself.

#![forbid(unsafe_code)]

mod demo;
mod progress;

use peers_numbers::{Client, Herd, Loner, Number};
use peers_rpc::wire::DecodeOwned;
use peers_rpc::{Address, Limits, SyncCall, SyncEndpoint};
use peers_service::{self as service, Arguments, Cli, Failure};
use progress::Progress;
use std::fmt::Display;
use std::process::ExitCode;

const CLI: Cli = Cli {
    name: "numbers",
    version: env!("CARGO_PKG_VERSION"),
    help: include_str!("help.txt"),
    flags: &[],
};

fn main() -> ExitCode {
    service::run(&CLI, |arguments| {
        let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
        match words[..] {
            ["serve", "loner", address] => serve_loner(address, &arguments),
            ["serve", "herd", address, ref peers @ ..] => serve_herd(address, peers, &arguments),
            ["demo"] => demo::run(),
            [command, address, ref numbers @ ..] => {
                let question = Question::read(command, numbers)?;
                let question = question.ok_or_else(|| CLI.usage(&arguments))?;
                question.ask(&CLI.address(address)?, &arguments)
            }
            _ => Err(CLI.usage(&arguments)),
        }
    })
}

fn serve_loner(address: &str, arguments: &Arguments) -> Result<(), Failure> {
    let address = CLI.address(address)?;
    service::serve(Limits::default(), arguments, |kernel, rpc, security| {
        Loner::serve(kernel, rpc, &address, security)
    })
}

fn serve_herd(address: &str, peers: &[&str], arguments: &Arguments) -> Result<(), Failure> {
    let (address, peers) = (CLI.address(address)?, CLI.addresses(peers)?);
    service::serve(Limits::default(), arguments, |kernel, rpc, security| {
        Herd::new(Box::new(service::note)).serve(kernel, rpc, &address, &peers, security)
    })
}

/// Says what the command line asks a node.
enum Question {
    GetRandom(u32),
    GetPrime(u32),
    IsPrime(Number),
    Gcd(Number, Number),
    Inverse(Number, Number),
}

impl Question {
    /// Reads the question; `None` if none is asked like that.
    fn read(command: &str, words: &[&str]) -> Result<Option<Self>, Failure> {
        Ok(Some(match (command, words) {
            ("get-random", [bits]) => Self::GetRandom(size(bits)?),
            ("get-prime", [bits]) => Self::GetPrime(size(bits)?),
            ("is-prime", [x]) => Self::IsPrime(number(x)?),
            ("gcd", [x, y]) => Self::Gcd(number(x)?, number(y)?),
            ("inverse", [u, v]) => Self::Inverse(number(u)?, number(v)?),
            _ => return Ok(None),
        }))
    }

    fn ask(self, address: &Address, arguments: &Arguments) -> Result<(), Failure> {
        let peers = service::client(arguments)?;
        let node: Client<SyncEndpoint> = Client::new(peers.connect(address)?);
        let asking = Asking { address, arguments, remote: peers.remote() };
        match self {
            Self::GetRandom(bits) => asking.print("get_random", node.get_random(bits)),
            Self::GetPrime(bits) => asking.print("get_prime", node.get_prime(bits)),
            Self::IsPrime(x) => asking.print("is_prime", node.is_prime(&x)),
            Self::Gcd(x, y) => asking.print("GCD", node.gcd(&x, &y)),
            Self::Inverse(u, v) => asking.print("inverse", node.inverse(&u, &v)),
        }
    }
}

/// Says how answers are waited for.
struct Asking<'a> {
    address: &'a Address,
    arguments: &'a Arguments,
    remote: peers_rpc::kernel::Remote,
}

impl Asking<'_> {
    fn print<T>(&self, method: &str, call: SyncCall<T>) -> Result<(), Failure>
    where
        T: DecodeOwned + Display + Send + 'static,
    {
        let progress = Progress::show(method, &self.remote);
        let result = self.arguments.timed(call).wait();
        drop(progress);
        let result = result.map_err(|error| Failure::of_call(self.address, &error))?;
        service::print(&result.to_string())
    }
}

/// Reads a size in bits. Whether it makes sense is for the node to say.
fn size(word: &str) -> Result<u32, Failure> {
    word.parse().map_err(|_| Failure::usage(format!("BITS is a number of bits, not {word:?}")))
}

fn number(word: &str) -> Result<Number, Failure> {
    word.parse().map_err(|wrong| Failure::usage(format!("{word:?}: {wrong}")))
}
