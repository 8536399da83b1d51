//! A registry in one file, as the README shows it. `cargo run -p peers-registry --example small`

use peers_rpc::{Context, Error, Kernel, Rpc};
use std::collections::BTreeMap;

peers_rpc::include_rpc!("registry");

struct Registry(BTreeMap<String, String>);

impl LocalNode for Registry {
    fn put(&mut self, _: &Context<'_, Self>, key: String, value: String) {
        self.0.insert(key, value);
    }
    fn get(&mut self, _: &Context<'_, Self>, key: String) -> Result<String, Error> {
        self.0.get(&key).cloned().ok_or_else(|| NoSuchKey { key }.raise())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut kernel = Kernel::new()?;
    let rpc = Rpc::new(&kernel.handle());
    let node = kernel.node(Registry(BTreeMap::new()));
    let cx = node.cx();
    let address = "inet:localhost:5000".parse()?;
    let _listener = rpc.listen(&address, move |endpoint| LocalNode::bind(&cx, &endpoint))?;
    kernel.run()?;
    Ok(())
}
