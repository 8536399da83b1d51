//! The binary `chat`: a room, or a guest that says what is typed and prints what is heard.

#![forbid(unsafe_code)]

use peers_chat::{LocalGuest, LocalRoom, Room, RoomProxy};
use peers_rpc::{Address, CloseReason, Cont, Context, Error, Limits, SyncEndpoint};
use peers_service::{self as service, Arguments, Cli, Failure};
use std::io::BufRead as _;
use std::process::ExitCode;

const CLI: Cli = Cli {
    name: "chat",
    version: env!("CARGO_PKG_VERSION"),
    help: include_str!("help.txt"),
    flags: &[],
};

fn main() -> ExitCode {
    service::run(&CLI, |arguments| {
        let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
        match words[..] {
            ["room", address] => open(&CLI.address(address)?, &arguments),
            ["join", address, name] => enter(&CLI.address(address)?, name, &arguments),
            _ => Err(CLI.usage(&arguments)),
        }
    })
}

fn open(address: &Address, arguments: &Arguments) -> Result<(), Failure> {
    service::serve(Limits::default(), arguments, |kernel, rpc, security| {
        let room = kernel.node(Room::default());
        let cx = room.cx();
        let accept = move |endpoint| LocalRoom::bind(&cx, &endpoint);
        Ok((rpc.listen_with(security, address, accept)?, room))
    })
}

/// A guest prints what it hears. If nobody reads that, it is nobody's loss.
struct Guest;

impl LocalGuest for Guest {
    fn heard(&mut self, _: &Context<'_, Self>, from: String, text: String) {
        service::show(&format!("{from}: {text}"));
    }
}

/// Who only listens would not notice.
fn cut_off(reason: Result<CloseReason, Error>) {
    if let Ok(reason) = reason
        && !matches!(reason, CloseReason::Local | CloseReason::RpcGone)
    {
        drop(service::print(&format!("(cut off: {reason})")));
    }
}

/// Connects, and serves the guest's side of the same connection.
fn enter(address: &Address, name: &str, arguments: &Arguments) -> Result<(), Failure> {
    let (give, take) = std::sync::mpsc::channel();
    let to = address.clone();
    let _peers = service::client_with(arguments, Limits::default(), move |kernel, rpc| {
        let guest = kernel.node(Guest);
        let endpoint = rpc.connect(&to);
        let bound = LocalGuest::bind(&guest.cx(), &endpoint).ok();
        endpoint.on_close(Cont::new(&kernel.handle(), cut_off));
        drop(give.send(bound.and_then(|()| endpoint.to_sync())));
        guest
    })?;
    let endpoint = take.recv().ok().flatten();
    let endpoint = endpoint.ok_or_else(|| Failure::usage("the loop has ended"))?;
    let room: RoomProxy<SyncEndpoint> = RoomProxy::new(endpoint);
    let failed = |error| Failure::of_call(address, &error);
    let present = arguments.timed(room.join(name)).wait().map_err(failed)?;
    let present = if present.is_empty() { "nobody".to_owned() } else { present.join(", ") };
    service::print(&format!("here: {present}"))?;
    for line in std::io::stdin().lock().lines() {
        room.say(line?).map_err(failed)?;
    }
    Ok(())
}
