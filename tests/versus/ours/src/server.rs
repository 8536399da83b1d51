//! The server: a table, an echo, a drain, and calls that are kept waiting.

use peers_rpc::{Context, Error, Kernel, Reply, Rpc};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use versus_load::{Options, raise_descriptor_limit, table};
use versus_ours::{LocalBench, address};

struct Server {
    table: HashMap<String, String>,
    pushed: u64,
    held: Vec<Reply<String>>,
}

impl LocalBench for Server {
    fn get(&mut self, _: &Context<'_, Self>, key: &str) -> Result<Cow<'_, str>, Error> {
        let value = self.table.get(key).ok_or_else(|| Error::failed("no such key"))?;
        Ok(value.into())
    }

    fn echo(&mut self, _: &Context<'_, Self>, data: Vec<u8>) -> Result<Vec<u8>, Error> {
        Ok(data)
    }

    fn push(&mut self, _: &Context<'_, Self>, data: Vec<u8>) {
        self.pushed += data.len() as u64;
    }

    fn hold(&mut self, _: &Context<'_, Self>, _: String, reply: Reply<String>) {
        self.held.push(reply);
    }

    fn pushed(&mut self, _: &Context<'_, Self>) -> Result<u64, Error> {
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
    let rpc = Rpc::new(&kernel);
    let node = kernel.node(Server { table: table(), pushed: 0, held: Vec::new() });
    let cx = node.cx();
    let accept = move |endpoint| LocalBench::bind(&cx, &endpoint);
    let _listener = rpc.listen(&address(&options)?, accept)?;
    println!("READY");
    std::io::stdout().flush()?;
    kernel.run()?;
    Ok(())
}
