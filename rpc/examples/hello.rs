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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut kernel = Kernel::new()?;
    let handle = kernel.handle();
    let rpc = Rpc::new(&handle);

    let node = kernel.node(Registry::default());
    let cx = node.cx();
    let listener =
        rpc.listen(&"inet:localhost:0".parse()?, move |endpoint| LocalNode::bind(&cx, &endpoint))?;
    println!("listening at {}", listener.address());

    let client = Rpc::new(&handle);
    let n: NodeProxy = NodeProxy::new(client.connect(&listener.address()));
    n.put("arrakis", "dune")?;
    n.get("arrakis").then_or(|value| println!("arrakis -> {value}"), peers_rpc::warn);
    n.get("Muad'Dib").then_or(
        |value| println!("Muad'Dib -> {value}"),
        move |error| {
            println!("{error}");
            handle.stop();
        },
    );
    kernel.run()?;
    Ok(())
}
