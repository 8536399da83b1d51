//! `numbers demo`: the tutorial's session, with a loner and then with a herd of three, each node in
//! a process of its own.
//!
//! All nodes write into one pipe, so that their lines come in the order in which they were written.
//! A node writes before it answers; so after each answer everything that is in the pipe is shown.

use peers_numbers::{Client, Wrong};
use peers_rpc::{Address, Error, Peers, spawn_loop};
use peers_service::{Failure, NodeProcess, SharedOutput, print, print_own, typed};
use std::fmt::Display;

pub(crate) fn run() -> Result<(), Failure> {
    print_own("A node that computes by itself.\n")?;
    let mut stage = Stage::new()?;
    let loner = stage.start("loner", &[])?;
    stage.session(&loner)?;

    print_own("\nA herd of three: whoever is asked flips a coin, and computes or forwards.\n")?;
    let mut stage = Stage::new()?;
    let first = stage.start("herd", &[])?;
    for _ in 0..2 {
        stage.start("herd", &[&first])?;
        stage.output.show_until(|line| line.contains(": Added peer at "))?;
    }
    stage.session(&first)
}

/// The nodes, and all that they print. Dropping it ends them.
struct Stage {
    peers: Peers,
    nodes: Vec<NodeProcess>,
    output: SharedOutput,
}

impl Stage {
    fn new() -> Result<Self, Failure> {
        Ok(Self { peers: spawn_loop()?, nodes: Vec::new(), output: SharedOutput::new()? })
    }

    /// Starts a node, shows the command that does it, and gives the address where it listens.
    fn start(&mut self, kind: &str, peers: &[&Address]) -> Result<Address, Failure> {
        let mut words = vec!["serve".to_owned(), kind.to_owned(), "inet:localhost:0".to_owned()];
        words.extend(peers.iter().map(ToString::to_string));
        print_own(&format!("$ numbers {} &", words.join(" ")))?;
        let node = self.output.start(&std::env::current_exe()?, words)?;
        let address = node.address().clone();
        self.nodes.push(node);
        Ok(address)
    }

    fn session(&mut self, address: &Address) -> Result<(), Failure> {
        let failed = |error: Error| Failure::of_call(address, &error);
        let (peers, shown) = (&self.peers, format!("\"{address}\""));
        print_own("")?;
        typed!(failed, [address: shown] => let n = Client::new(peers.connect(address)?));
        typed!(failed => let x = n.get_prime(512).wait()?);
        answered(&mut self.output, &x)?;
        let is_prime = typed!(failed => n.is_prime(&x).wait()?);
        answered(&mut self.output, &is_prime)?;
        typed!(failed => let y = n.get_random(512).wait()?);
        answered(&mut self.output, &y)?;
        let divisor = typed!(failed => n.gcd(&x, &y).wait()?);
        answered(&mut self.output, &divisor)?;
        typed!(failed => let z = n.inverse(&y, &x).wait()?);
        answered(&mut self.output, &z)?;
        let failed = |wrong: Wrong| Failure::usage(wrong.to_string());
        let one = typed!(failed => z.times(&y).modulo(&x)?);
        print(&one.to_string())
    }
}

/// Shows what the nodes said before they answered, and the answer.
fn answered(output: &mut SharedOutput, answer: &impl Display) -> Result<(), Failure> {
    output.show_written()?;
    print(&answer.to_string())
}
