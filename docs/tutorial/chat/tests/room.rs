//! The room in a simulated world, and the binary with two guests.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_chat::{LocalGuest, LocalRoom, NameTaken, Room, RoomProxy};
use peers_rpc::kernel::sim::{ProcessId, World};
use peers_rpc::{Address, Context, Endpoint, Error, Rpc};
use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

type Heard = Rc<RefCell<Vec<String>>>;
/// Says how joining ended: who is there.
type Joined = Rc<RefCell<Option<Result<Vec<String>, Error>>>>;

struct Guest(Heard);

impl LocalGuest for Guest {
    fn heard(&mut self, _: &Context<'_, Self>, from: String, text: String) {
        self.0.borrow_mut().push(format!("{from}: {text}"));
    }
}

/// A world with an open room.
fn room() -> (World, Address) {
    let mut world = World::new(1);
    let address: Address = "sim:room".parse().unwrap();
    let at = address.clone();
    world.process("room", move |kernel| {
        let rpc = Rpc::new(&kernel.handle());
        let room = kernel.node(Room::default());
        let cx = room.cx();
        let bind = move |endpoint: Endpoint| LocalRoom::bind(&cx, &endpoint);
        let listener = rpc.listen(&at, bind).unwrap();
        (rpc, room, listener)
    });
    (world, address)
}

/// A guest joins, says something, and lives in a process of its own; what it hears, and how joining
/// ended.
fn join(world: &mut World, address: &Address, name: &'static str) -> (ProcessId, Heard, Joined) {
    let (heard, joined) = (Heard::default(), Joined::default());
    let (ear, outcome, to) = (heard.clone(), joined.clone(), address.clone());
    let process = world.process(name, move |kernel| {
        let handle = kernel.handle();
        let rpc = Rpc::new(&handle);
        let guest = kernel.node(Guest(ear));
        let endpoint = rpc.connect(&to);
        LocalGuest::bind(&guest.cx(), &endpoint).unwrap();
        let room: RoomProxy = RoomProxy::new(endpoint);
        let done = peers_rpc::Cont::new(&handle, move |result| {
            outcome.replace(Some(result));
        });
        room.join(name).then(done);
        room.say(format!("I am {name}")).unwrap();
        (rpc, guest)
    });
    world.run_for(Duration::from_secs(1));
    (process, heard, joined)
}

#[test]
fn guests_hear_each_other_and_who_comes_and_goes() {
    let (mut world, address) = room();
    let (_, paul, _) = join(&mut world, &address, "paul");
    let (chani, chani_heard, present) = join(&mut world, &address, "chani");
    assert_eq!(present.take().unwrap().unwrap(), ["paul"]);
    world.crash(chani);
    world.run_for(Duration::from_secs(1));
    assert_eq!(*paul.borrow(), ["chani: (enters)", "chani: I am chani", "chani: (leaves)"]);
    assert!(chani_heard.borrow().is_empty());
}

#[test]
fn a_name_is_given_once() {
    let (mut world, address) = room();
    let (_, _, first) = join(&mut world, &address, "paul");
    assert!(first.take().unwrap().is_ok());
    let to = address.clone();
    let refused = Rc::new(RefCell::new(None));
    let outcome = refused.clone();
    world.process("impostor", move |kernel| {
        let rpc = Rpc::new(&kernel.handle());
        let room: RoomProxy = RoomProxy::new(rpc.connect(&to));
        room.join("paul").then_or(|_| {}, move |error| drop(outcome.replace(Some(error))));
        rpc
    });
    world.run_for(Duration::from_secs(1));
    assert_eq!(refused.take().unwrap().get::<NameTaken>().unwrap().name, "paul");
}

/// A process of the binary, ended when the test is.
struct Chat {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Chat {
    fn start(words: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chat"))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn two_guests_talk_across_processes() {
    let mut room = Chat::start(&["room", "inet:localhost:0"]);
    let line = room.line();
    let address = line.split(['[', ']']).nth(1).unwrap().to_owned();
    let mut paul = Chat::start(&["join", &address, "paul"]);
    assert_eq!(paul.line(), "here: nobody");
    let mut chani = Chat::start(&["join", &address, "chani"]);
    assert_eq!(chani.line(), "here: paul");
    assert_eq!(paul.line(), "chani: (enters)");
    chani.child.stdin.as_mut().unwrap().write_all(b"Usul\n").unwrap();
    assert_eq!(paul.line(), "chani: Usul");
    drop(chani.child.stdin.take());
    assert!(chani.child.wait().unwrap().success());
    assert_eq!(paul.line(), "chani: (leaves)");
    room.child.kill().unwrap();
    assert!(paul.line().starts_with("(cut off: "), "who only listens is told as well");
}

#[test]
fn who_only_listens_still_hears_after_hours() {
    let (mut world, address) = room();
    let (_, paul, _) = join(&mut world, &address, "paul");
    world.run_for(Duration::from_secs(3 * 3_600));
    join(&mut world, &address, "chani");
    assert_eq!(*paul.borrow(), ["chani: (enters)", "chani: I am chani"]);
}
