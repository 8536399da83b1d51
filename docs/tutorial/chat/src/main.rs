//! The binary `chat`: a room, or a guest that says what is typed and prints what is heard.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a chat prints")]

use peers_chat::{LocalGuest, LocalRoom, Room, RoomProxy};
use peers_rpc::service::{self, Cli, Failure};
use peers_rpc::{Address, Binding, Cx, Limits, SyncEndpoint, spawn_loop_with};
use std::io::BufRead as _;
use std::process::ExitCode;

const CLI: Cli = Cli {
    name: "chat",
    version: env!("CARGO_PKG_VERSION"),
    help: "Usage:\n  chat room ADDRESS        open a room\n  chat join ADDRESS NAME   enter it: say what you type, see what is said\n",
    flags: &[],
};

fn main() -> ExitCode {
    service::run(&CLI, |arguments| {
        let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
        match words[..] {
            ["room", address] => open(&CLI.address(address)?),
            ["join", address, name] => enter(&CLI.address(address)?, name),
            _ => Err(Failure::usage(CLI.help)),
        }
    })
}

fn open(address: &Address) -> Result<(), Failure> {
    service::serve(Limits::default(), |kernel, rpc| {
        let room = kernel.node(Room::default());
        let cx = room.cx();
        let listener = rpc.listen(address, move |endpoint| LocalRoom::bind(&cx, &endpoint))?;
        Ok((listener, room))
    })
}

/// A guest prints what it hears.
struct Guest;

impl LocalGuest for Guest {
    fn heard(&mut self, _: &Cx<Self>, _: &Binding, from: String, text: String) {
        println!("{from}: {text}");
    }
}

/// Connects, and serves the guest's side of the same connection.
fn enter(address: &Address, name: &str) -> Result<(), Failure> {
    let (give, take) = std::sync::mpsc::channel();
    let to = address.clone();
    let _peers = spawn_loop_with(Limits::default(), move |kernel, rpc| {
        let guest = kernel.node(Guest);
        let endpoint = rpc.connect(&to);
        let bound = LocalGuest::bind(&guest.cx(), &endpoint).ok();
        drop(give.send(bound.and_then(|()| endpoint.to_sync())));
        guest
    })?;
    let endpoint = take.recv().ok().flatten();
    let endpoint = endpoint.ok_or_else(|| Failure::usage("the loop has ended"))?;
    chat(&RoomProxy::new(endpoint), address, name)
}

fn chat(room: &RoomProxy<SyncEndpoint>, address: &Address, name: &str) -> Result<(), Failure> {
    let failed = |error| Failure::of_call(address, &error);
    let present = room.join(name).wait().map_err(failed)?;
    println!("here: {}", if present.is_empty() { "nobody".to_owned() } else { present.join(", ") });
    for line in std::io::stdin().lock().lines() {
        room.say(line?).map_err(failed)?;
    }
    Ok(())
}
