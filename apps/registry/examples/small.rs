//! A registry in one file, as the README shows it. `cargo run -p peers-registry --example small`

use peers_rpc::{Context, Error, Kernel, Rpc};
use std::collections::BTreeMap;

peers_rpc::include_rpc!("registry");

#[derive(Default)]
struct Registry(BTreeMap<String, String>);

impl LocalNode for Registry {
    fn put(&mut self, _: &Context<'_, Self>, key: String, value: String) {
        self.0.insert(key, value);
    }
    fn get(&mut self, _: &Context<'_, Self>, key: String) -> Result<String, Error> {
        Ok(self.0.get(&key).cloned().ok_or(NoSuchKey { key })?)
    }
}

fn main() -> Result<(), Error> {
    let mut kernel = Kernel::new()?;
    let rpc = Rpc::new(&kernel);
    let _service = rpc.serve("inet:localhost:5000", Registry::default(), LocalNode::bind)?;
    Ok(kernel.run()?)
}
