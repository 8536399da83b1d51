//! `numbers demo`: the tutorial's session, with a loner and then with a herd of three, each node in a process of its own.

#![allow(clippy::print_stdout, reason = "a demonstration prints")]

use peers_numbers::{Client, Number};
use peers_rpc::service::{Failure, NodeProcess};
use peers_rpc::wire::DecodeOwned;
use peers_rpc::{Address, Error, Peers, SyncCall, SyncEndpoint, spawn_loop};
use std::fmt::Display;

/// The size of the tutorial's numbers.
const BITS: u32 = 512;

pub(crate) fn run() -> Result<(), Failure> {
    println!("A node of its own.\n");
    let loner = start("loner", &[])?;
    let peers = spawn_loop()?;
    session(&peers, loner.address())?;
    drop(loner);

    println!("\nA herd of three: whoever is asked flips a coin, and computes or forwards.\n");
    let first = start("herd", &[])?;
    let _second = start("herd", &[first.address()])?;
    let _third = start("herd", &[first.address()])?;
    session(&peers, first.address())
}

/// Starts a node and shows the command that does it.
fn start(kind: &str, peers: &[&Address]) -> Result<NodeProcess, Failure> {
    let mut words = vec!["serve".to_owned(), kind.to_owned(), "inet:localhost:0".to_owned()];
    words.extend(peers.iter().map(ToString::to_string));
    println!("$ numbers {} &", words.join(" "));
    NodeProcess::start(&std::env::current_exe()?, words)
}

fn session(peers: &Peers, address: &Address) -> Result<(), Failure> {
    println!("> let n = Client::new(peers.connect(\"{address}\")?);");
    let n: Client<SyncEndpoint> = Client::new(peers.connect(address)?);
    let failed = |error: Error| Failure::of_call(address, &error);
    let x = show("let x = n.get_prime(512)", n.get_prime(BITS)).map_err(failed)?;
    show("n.is_prime(&x)", n.is_prime(&x)).map_err(failed)?;
    let y = show("let y = n.get_random(512)", n.get_random(BITS)).map_err(failed)?;
    show("n.gcd(&x, &y)", n.gcd(&x, &y)).map_err(failed)?;
    let z = show("let z = n.inverse(&y, &x)", n.inverse(&y, &x)).map_err(failed)?;
    println!("> z.times(&y).modulo(&x)?");
    let one = z.times(&y).modulo(&x).map_err(|wrong| Failure::usage(wrong.to_string()))?;
    println!("{one}");
    if one == Number::from(1) { Ok(()) } else { Err(Failure::usage("that should have been 1")) }
}

/// Makes the call that `text` spells, and prints both.
fn show<T>(text: &str, call: SyncCall<T>) -> Result<T, Error>
where
    T: DecodeOwned + Display + Send + 'static,
{
    println!("> {text}.wait()?");
    let value = call.wait()?;
    println!("{value}");
    Ok(value)
}
