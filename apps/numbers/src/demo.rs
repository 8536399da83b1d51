//! `numbers demo`: the tutorial's session, with a loner and then with a herd of three, each node in
//! a process of its own.
//!
//! All nodes write into one pipe, so that their lines come in the order in which they were written.
//! A node writes before it answers; so after each answer this process writes an empty line into the
//! pipe and shows everything before it.

use peers_numbers::Client;
use peers_rpc::wire::DecodeOwned;
use peers_rpc::{Address, Error, Peers, SyncCall, SyncEndpoint, spawn_loop};
use peers_service::{Failure, print, print_own};
use std::fmt::Display;
use std::io::{BufRead as _, BufReader, PipeWriter, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The size of the tutorial's numbers.
const BITS: u32 = 512;
/// Says how long a line of a node may take to appear.
const PATIENCE: Duration = Duration::from_secs(10);

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
        stage.show_until(|line| line.contains(": Added peer at "))?;
    }
    stage.session(&first)
}

/// The nodes, and all that they print. Dropping it ends them.
struct Stage {
    peers: Peers,
    nodes: Vec<Child>,
    pipe: PipeWriter,
    lines: Receiver<String>,
}

impl Stage {
    fn new() -> Result<Self, Failure> {
        let (reader, pipe) = std::io::pipe()?;
        let (send, lines) = channel();
        let pass_on = move || {
            let lines = BufReader::new(reader).lines().map_while(Result::ok);
            lines.for_each(|line| drop(send.send(line)));
        };
        std::thread::Builder::new().name("node output".to_owned()).spawn(pass_on)?;
        Ok(Self { peers: spawn_loop()?, nodes: Vec::new(), pipe, lines })
    }

    /// Starts a node, shows the command that does it, and gives the address where it listens.
    fn start(&mut self, kind: &str, peers: &[&Address]) -> Result<Address, Failure> {
        let mut words = vec!["serve".to_owned(), kind.to_owned(), "inet:localhost:0".to_owned()];
        words.extend(peers.iter().map(ToString::to_string));
        print_own(&format!("$ numbers {} &", words.join(" ")))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(words).stdin(Stdio::null()).stdout(self.pipe.try_clone()?);
        let node = command.spawn()?;
        let begins = format!("{} [", node.id());
        self.nodes.push(node);
        let line = self.show_until(|line| line.starts_with(&begins))?;
        let address = line.strip_prefix(&begins).and_then(|rest| rest.strip_suffix("]: listening"));
        let unclear =
            || Failure::usage(format!("the node does not say where it listens, but: {line}"));
        address.and_then(|address| address.parse().ok()).ok_or_else(unclear)
    }

    /// Shows the nodes' lines up to the first that is `last`, and gives that one.
    fn show_until(&self, last: impl Fn(&str) -> bool) -> Result<String, Failure> {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.map_err(|_| Failure::usage("a node does not say what it should"))?;
            if !line.is_empty() {
                print(&line)?;
            }
            if last(&line) {
                return Ok(line);
            }
        }
    }

    fn session(&mut self, address: &Address) -> Result<(), Failure> {
        print_own(&format!("\n> let n = Client::new(peers.connect(\"{address}\")?);"))?;
        let n: Client<SyncEndpoint> = Client::new(self.peers.connect(address)?);
        let failed = |error: Error| Failure::of_call(address, &error);
        let x = self.show("let x = n.get_prime(512)", n.get_prime(BITS), failed)?;
        self.show("n.is_prime(&x)", n.is_prime(&x), failed)?;
        let y = self.show("let y = n.get_random(512)", n.get_random(BITS), failed)?;
        self.show("n.gcd(&x, &y)", n.gcd(&x, &y), failed)?;
        let z = self.show("let z = n.inverse(&y, &x)", n.inverse(&y, &x), failed)?;
        print_own("> z.times(&y).modulo(&x)?")?;
        let one = z.times(&y).modulo(&x).map_err(|wrong| Failure::usage(wrong.to_string()))?;
        print(&one.to_string())
    }

    /// Makes the call that `text` spells; shows both, and what the nodes said meanwhile.
    fn show<T>(
        &mut self,
        text: &str,
        call: SyncCall<T>,
        failed: impl FnOnce(Error) -> Failure,
    ) -> Result<T, Failure>
    where
        T: DecodeOwned + Display + Send + 'static,
    {
        print_own(&format!("> {text}.wait()?"))?;
        let value = call.wait().map_err(failed)?;
        writeln!(self.pipe)?;
        self.show_until(str::is_empty)?;
        print(&value.to_string())?;
        Ok(value)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Err(error) = node.kill().and_then(|()| node.wait()) {
                log::debug!("a node was gone before it was ended: {error}");
            }
        }
    }
}
