//! One question, many nodes: a relay asks them all, waits for every answer, and passes a single one
//! straight through.
//!
//! `cargo run -p peers-rpc --example fan_out`

#![allow(clippy::print_stdout, reason = "it shows what happens")]

use peers_rpc::doc::{LocalNode, NodeProxy};
use peers_rpc::{Cont, Context, Error, Kernel, Reply, Rpc, collect_async};

/// Knows one thing about every key.
struct Shelf(&'static str);

impl LocalNode for Shelf {
    fn put(&mut self, _: &Context<'_, Self>, _: String, _: String) {}

    fn get(&mut self, _: &Context<'_, Self>, key: String) -> Result<String, Error> {
        match self.0 {
            "" => Err(Error::failed("this shelf is empty")),
            book => Ok(format!("{key} in {book}")),
        }
    }
}

/// Asks all of them; `done` gets every outcome, in their order, whoever fails or dies.
fn ask_all(peers: &[NodeProxy], key: &str, done: Reply<Vec<Result<String, Error>>>) {
    for (peer, k) in peers.iter().zip(collect_async(done, peers.len())) {
        peer.get(key).then(k);
    }
}

/// Asks one of them: whoever waits is passed straight through, and nothing is left to do here.
fn ask_first(peers: &[NodeProxy], key: &str, k: Reply<String>) {
    peers[0].get(key).then(k);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut kernel = Kernel::new()?;
    let handle = kernel.handle();
    let (rpc, client) = (Rpc::new(&handle), Rpc::new(&handle));
    let (mut owners, mut peers) = (Vec::new(), Vec::<NodeProxy>::new());
    for book in ["Dune", "", "Children of Dune"] {
        let node = kernel.node(Shelf(book));
        let cx = node.cx();
        let listener = rpc.listen("inet:localhost:0", move |ep| LocalNode::bind(&cx, &ep))?;
        peers.push(NodeProxy::new(client.connect(&listener.address())));
        owners.push((node, listener));
    }
    ask_first(&peers, "arrakis", Cont::new(&handle, |answer| println!("the first: {answer:?}")));
    let stop = handle.clone();
    let show = move |outcomes: Result<Vec<Result<String, Error>>, Error>| {
        for outcome in outcomes.into_iter().flatten() {
            outcome.map_or_else(|error| println!("{error}"), |answer| println!("{answer}"));
        }
        stop.stop();
    };
    ask_all(&peers, "arrakis", Cont::new(&handle, show));
    kernel.run()?;
    Ok(())
}
