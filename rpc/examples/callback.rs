//! The server calls its clients back on the connections that they made: a room that passes on what
//! is said.
//!
//! `cargo run -p peers-rpc --example callback`

#![allow(clippy::print_stdout, reason = "it shows what happens")]

use peers_rpc::doc::{LocalNode, NodeProxy};
use peers_rpc::{Binding, Context, Error, Kernel, Rpc};
use std::collections::BTreeMap;

/// Holds who is here. The binding is the key: it needs no name, and nobody can pretend to be
/// someone else.
#[derive(Default)]
struct Room(BTreeMap<Binding, String>);

impl LocalNode for Room {
    /// `put("enter", NAME)` enters the room; `put("say", TEXT)` speaks, which only those may who
    /// have entered.
    fn put(&mut self, cx: &Context<'_, Self>, key: String, value: String) {
        match (key.as_str(), self.0.get(cx.caller())) {
            ("enter", _) => drop(self.0.insert(cx.caller().clone(), value)),
            ("say", Some(speaker)) => {
                let clients = self.0.keys().map(|client| client.proxy::<NodeProxy>());
                clients.for_each(|n| n.put(speaker, &value).unwrap_or_else(peers_rpc::warn));
            }
            _ => println!("room: {} has not entered", cx.caller()),
        }
    }

    fn get(&mut self, cx: &Context<'_, Self>, _: String) -> Result<String, Error> {
        self.0.get(cx.caller()).cloned().ok_or_else(|| Error::failed("you have not entered"))
    }
}

/// Holds what a client serves to the room.
struct Guest;

impl LocalNode for Guest {
    fn put(&mut self, cx: &Context<'_, Self>, speaker: String, text: String) {
        println!("guest: {speaker} says {text}");
        cx.handle().stop();
    }

    fn get(&mut self, _: &Context<'_, Self>, _: String) -> Result<String, Error> {
        Err(Error::failed("a guest keeps nothing"))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut kernel = Kernel::new()?;
    let (room, guest) = (kernel.node(Room::default()), kernel.node(Guest));
    let (rpc, cx) = (Rpc::new(&kernel.handle()), room.cx());
    let listener = rpc.listen("inet:localhost:0", move |ep| LocalNode::bind(&cx, &ep))?;

    let client = Rpc::new(&kernel.handle());
    let endpoint = client.connect(&listener.address());
    // On the same endpoint: this is what the room calls back.
    LocalNode::bind(&guest.cx(), &endpoint)?;
    let n: NodeProxy = NodeProxy::new(endpoint);
    n.put("say", "nobody hears this")?;
    n.put("enter", "Chani")?;
    n.put("say", "the spice must flow")?;
    Ok(kernel.run()?)
}
