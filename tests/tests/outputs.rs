//! Every command of every binary into a pipe whose reader has gone, and into a full device: no
//! panic, no word about the pipe, words and a code of its own for what cannot be written; and a
//! node whose lines nobody reads serves on.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]
#![cfg(target_os = "linux")]

use peers_p2p::P2pNodeProxy;
use peers_rpc::{Peers, SyncEndpoint, spawn_loop};
use peers_tests::{binary, root};
use std::fs::OpenOptions;
use std::io::pipe;
use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{self, Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, fs, io};

/// The code for an output that cannot be written.
const UNWRITTEN: i32 = 3;

/// An address that nobody else takes between its making and its use, as a free port may be. Its
/// file goes with it.
struct Place(String);

impl Place {
    fn free() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("peers-out-{}-{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        Self(format!("unix:{}", env::temp_dir().join(name).display()))
    }

    fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(self.0.strip_prefix("unix:").unwrap())
    }
}

impl Deref for Place {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_file(self.0.strip_prefix("unix:").unwrap()));
    }
}

/// A program in the background, killed when the test is over.
struct Background(Child);

impl Background {
    fn start(program: &PathBuf, words: &[&str], stdout: Stdio, stderr: Stdio) -> Self {
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        Self(command.spawn().unwrap())
    }

    /// The code with which it ends after SIGTERM.
    fn terminate(mut self) -> Option<i32> {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A node that serves, its lines read by nobody.
fn node(program: &PathBuf, words: &[&str]) -> (Background, Place) {
    let address = Place::free();
    let place = words.iter().position(|word| *word == "ADDRESS").unwrap();
    let mut words = words.to_vec();
    words[place] = &address;
    let node = Background::start(program, &words, Stdio::null(), Stdio::null());
    wait_for(&address);
    (node, address)
}

/// Waits until somebody listens there.
fn wait_for(address: &Place) {
    let (_open, pause) = std::sync::mpsc::channel::<()>();
    for _ in 0..3_000 {
        if address.connect().is_ok() {
            return;
        }
        assert!(pause.recv_timeout(Duration::from_millis(20)).is_err(), "nothing is ever sent");
    }
    panic!("nobody listens at {}", address.0);
}

fn run(program: &PathBuf, words: &[&str], stdout: impl Into<Stdio>) -> Output {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    command.output().unwrap()
}

/// Runs a command that prints into a closed pipe and into a full device.
fn check(program: &PathBuf, words: &[&str]) {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let closed = run(program, words, writer);
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((closed.status.code(), said(&closed).as_str()), (Some(0), ""), "{words:?}");
    let full = run(program, words, OpenOptions::new().write(true).open("/dev/full").unwrap());
    assert_eq!(full.status.code(), Some(UNWRITTEN), "{words:?}: {}", said(&full));
    let text = said(&full);
    assert!(text.contains(": cannot write the output: No space left on device"), "{text}");
    assert_eq!(text.lines().count(), 1, "{words:?}: {text}");
}

/// A node with such an output serves on and ends well.
fn check_node(program: &PathBuf, words: &[&str]) {
    let (reader, closed) = pipe().unwrap();
    drop(reader);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let outputs: [(Stdio, Stdio); 2] = [
        (closed.try_clone().unwrap().into(), closed.into()),
        (full.try_clone().unwrap().into(), full.into()),
    ];
    for (stdout, stderr) in outputs {
        let address = Place::free();
        let words: Vec<&str> =
            words.iter().map(|word| if *word == "ADDRESS" { &*address } else { word }).collect();
        let node = Background::start(program, &words, stdout, stderr);
        wait_for(&address);
        assert_eq!(node.terminate(), Some(0), "{words:?}");
    }
}

#[test]
fn registry() {
    let program = binary("peers-registry", "registry");
    check(&program, &["--help"]);
    check(&program, &["--version"]);
    check(&program, &["demo"]);
    check_node(&program, &["serve", "ADDRESS"]);
    let (_node, address) = node(&program, &["serve", "ADDRESS"]);
    let put = run(&program, &["put", &address, "k", &"v".repeat(100_000)], Stdio::null());
    assert_eq!(put.status.code(), Some(0));
    check(&program, &["get", &address, "k"]);
}

#[test]
fn p2p() {
    let program = binary("peers-p2p", "p2p");
    check(&program, &["--help"]);
    check(&program, &["--version"]);
    check(&program, &["demo"]);
    check_node(&program, &["serve", "ADDRESS"]);
    let (_node, address) = node(&program, &["serve", "ADDRESS"]);
    let put = run(&program, &["put", &address, "k", "v"], Stdio::null());
    assert_eq!(put.status.code(), Some(0));
    check(&program, &["get", &address, "k"]);
    for options in [&[] as &[&str], &["--by-id"], &["--count"], &["--by-id", "--count"]] {
        check(&program, &[&["get-all", &address, "k"], options].concat());
    }
}

#[test]
fn numbers() {
    let program = binary("peers-numbers", "numbers");
    check(&program, &["--help"]);
    check(&program, &["--version"]);
    check(&program, &["demo"]);
    check_node(&program, &["serve", "loner", "ADDRESS"]);
    check_node(&program, &["serve", "herd", "ADDRESS"]);
    let (_node, address) = node(&program, &["serve", "loner", "ADDRESS"]);
    for (command, words) in [
        ("get-random", &["64"] as &[&str]),
        ("get-prime", &["64"]),
        ("is-prime", &["7"]),
        ("gcd", &["6", "4"]),
        ("inverse", &["3", "7"]),
    ] {
        check(&program, &[&[command, &address], words].concat());
    }
}

#[test]
fn chat() {
    let program = binary("peers-chat", "chat");
    check(&program, &["--help"]);
    check(&program, &["--version"]);
    check_node(&program, &["room", "ADDRESS"]);
    let (_room, address) = node(&program, &["room", "ADDRESS"]);
    check(&program, &["join", &address, "muad'dib"]);
}

#[test]
fn rpcc() {
    let program = binary("peers-rpcc", "rpcc");
    check(&program, &["--help"]);
    check(&program, &["--version"]);
    let file = root().join("apps/registry/registry.rpc").display().to_string();
    check(&program, &["check", &file, &file]);
    // Compiling prints nothing, so no output can be in its way.
    let folder = env::temp_dir().join(format!("peers-outputs-{}", process::id()));
    let words = [&file, "-o", &folder.display().to_string()];
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(run(&program, &words, full).status.code(), Some(0));
    fs::remove_dir_all(&folder).unwrap();
}

/// The client of a node for as long as both live.
fn client(address: &str) -> (Peers, P2pNodeProxy<SyncEndpoint>) {
    let peers = spawn_loop().unwrap();
    let node = P2pNodeProxy::new(peers.connect(address).unwrap());
    (peers, node)
}

#[test]
fn lines_that_nobody_reads_stop_no_node() {
    let program = binary("peers-p2p", "p2p");
    let (_reader, writer) = pipe().unwrap();
    let address = Place::free();
    let words = ["serve", &*address];
    let node = Background::start(&program, &words, writer.into(), Stdio::null());
    wait_for(&address);
    let (_peers, proxy) = client(&address);
    // Each put is a line: several times what the pipe and the queue hold.
    for round in 0..20 {
        for n in 0..1_000 {
            proxy.put(format!("key {round} {n}"), "v".repeat(80)).unwrap();
        }
        let value = proxy.get(format!("key {round} 999")).within(Duration::from_secs(60)).wait();
        assert_eq!(value.unwrap(), "v".repeat(80));
    }
    assert_eq!(node.terminate(), Some(0));
}

#[test]
fn a_log_that_nobody_reads_stops_no_node() {
    let program = binary("peers-p2p", "p2p");
    let (_reader, writer) = pipe().unwrap();
    let address = Place::free();
    let mut command = Command::new(&program);
    command.args(["serve", &address]).env("RUST_LOG", "debug").stdin(Stdio::null());
    let node = Background(command.stdout(Stdio::null()).stderr(writer).spawn().unwrap());
    wait_for(&address);
    // Each end of a connection is a line of more than a hundred bytes; the pipe holds 64 KiB.
    for _ in 0..1_500 {
        drop(address.connect().unwrap());
    }
    let (_peers, proxy) = client(&address);
    proxy.put("k", "v").unwrap();
    assert_eq!(proxy.get("k").within(Duration::from_secs(60)).wait().unwrap(), "v");
    assert_eq!(node.terminate(), Some(0));
}

/// A problem is told by the code, if by nothing else.
#[test]
fn problems_that_nobody_reads_still_have_their_codes() {
    let registry = binary("peers-registry", "registry");
    let nobody = Place::free();
    for (words, code) in
        [(&["fly"] as &[&str], 2), (&["get", &nobody, "k"], 2), (&["serve", "inet:0.0.0.0:0"], 2)]
    {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(&registry);
        command.args(words).stdin(Stdio::null());
        command.stdout(full.try_clone().unwrap()).stderr(full);
        assert_eq!(command.status().unwrap().code(), Some(code), "{words:?}");
    }
}
