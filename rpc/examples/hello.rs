//! One node, one client, one process, a real socket: put, get, and what a missing key looks like.
//!
//! `cargo run -p peers-rpc --example hello`

#![allow(clippy::print_stdout, reason = "it shows what happens")]

use peers_rpc::doc::{LocalNode, NoSuchKey, NodeProxy};
use peers_rpc::{Context, Error, Kernel, Rpc};
use std::collections::BTreeMap;

#[derive(Default)]
struct Registry(BTreeMap<String, String>);

impl LocalNode for Registry {
    fn put(&mut self, cx: &Context<'_, Self>, key: String, value: String) {
        println!("{} puts {key}", cx.caller());
        self.0.insert(key, value);
    }

    fn get(&mut self, _: &Context<'_, Self>, key: String) -> Result<String, Error> {
        self.0.get(&key).cloned().ok_or_else(|| NoSuchKey { key }.raise())
    }
}

fn main() -> Result<(), Error> {
    let mut kernel = Kernel::new()?;
    let rpc = Rpc::new(&kernel);
    let service = rpc.serve("inet:localhost:0", Registry::default(), LocalNode::bind)?;
    println!("listening at {}", service.address());

    let (client, handle) = (Rpc::new(&kernel), kernel.handle());
    let n: NodeProxy = NodeProxy::new(client.connect(service.address()));
    n.put("arrakis", "dune")?;
    n.get("arrakis").then_or(|value| println!("arrakis -> {value}"), peers_rpc::warn);
    n.get("Muad'Dib").then_or(
        |value| println!("Muad'Dib -> {value}"),
        move |error| {
            println!("{error}");
            handle.stop();
        },
    );
    Ok(kernel.run()?)
}
