//! The server: a table, an echo, a drain.

use peers_rpc::{Binding, Cx, Error, Kernel, Rpc};
use std::collections::HashMap;
use std::io::Write;
use versus_load::{Options, raise_descriptor_limit, table};
use versus_ours::{LocalBench, address};

struct Server {
    table: HashMap<String, String>,
    pushed: u64,
}

impl LocalBench for Server {
    fn get(&mut self, _: &Cx<Self>, _: &Binding, key: String) -> Result<String, Error> {
        self.table.get(&key).cloned().ok_or_else(|| Error::failed("no such key"))
    }

    fn echo(&mut self, _: &Cx<Self>, _: &Binding, data: Vec<u8>) -> Result<Vec<u8>, Error> {
        Ok(data)
    }

    fn push(&mut self, _: &Cx<Self>, _: &Binding, data: Vec<u8>) {
        self.pushed += data.len() as u64;
    }

    fn pushed(&mut self, _: &Cx<Self>, _: &Binding) -> Result<u64, Error> {
        Ok(self.pushed)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::from_arguments("peers");
    raise_descriptor_limit();
    if let Some(path) = options.unix_path() {
        let _absent = std::fs::remove_file(path);
    }
    let mut kernel = Kernel::new()?;
    let rpc = Rpc::new(&kernel.handle());
    let node = kernel.node(Server { table: table(), pushed: 0 });
    let cx = node.cx();
    let accept = move |endpoint| LocalBench::bind(&cx, &endpoint);
    let _listener = rpc.listen(&address(&options)?, accept)?;
    println!("READY");
    std::io::stdout().flush()?;
    kernel.run()?;
    Ok(())
}
