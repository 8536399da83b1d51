//! The callers that the README shows, a thread that waits and a node that does not. Start the
//! example `small` first: `cargo run -p peers-registry --example callers`

#![allow(clippy::print_stdout, reason = "it shows what was answered")]

use peers_registry::{BlockingNode, NodeProxy};
use peers_rpc::{Cx, Error, Kernel, Rpc};
use std::time::Duration;

fn wait() -> Result<(), Error> {
    let peers = peers_rpc::spawn_loop()?;
    let n = BlockingNode::new(peers.connect("inet:localhost:5000")?);
    n.put("arrakis", "dune")?;
    assert_eq!(n.get("arrakis").wait()?, "dune");
    Ok(())
}

struct Client {
    registry: NodeProxy,
    last: Option<String>,
}

impl Client {
    fn ask(&self, cx: &Cx<Self>) {
        let answered = |client: &mut Self, _: &Cx<Self>, answer: Result<String, Error>| {
            client.last = answer.ok();
        };
        self.registry.get("arrakis").within(Duration::from_secs(2)).then(cx.on_any(answered));
    }
}

fn main() -> Result<(), Error> {
    wait()?;
    let mut kernel = Kernel::new()?;
    let rpc = Rpc::new(&kernel);
    let registry = NodeProxy::new(rpc.connect("inet:localhost:5000"));
    let client = kernel.node(Client { registry, last: None });
    client.cx().schedule(|client, cx| client.ask(cx));
    kernel.run_until(kernel.handle().now() + Duration::from_secs(2))?;
    assert_eq!(client.with(|client| client.last.clone()).as_deref(), Some("dune"));
    Ok(())
}
