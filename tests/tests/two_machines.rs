//! Promise: the applications run encrypted between two machines. The machines are two network
//! namespaces with a cable between them; the test makes them, and takes them away. Where it may
//! not, it says so and does nothing else.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]
#![cfg(target_os = "linux")]

use peers_tests::binary;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{self, Child, Command, Stdio};
use std::time::Duration;

/// Runs `ip` and returns whether all went well.
fn ip(words: &str) -> bool {
    let mut command = Command::new("ip");
    command.args(words.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Two namespaces and the cable between them.
struct Machines {
    names: [String; 2],
    folder: PathBuf,
}

impl Machines {
    /// Makes them; `None` if this process may not, or there is no `ip`.
    fn new() -> Option<Self> {
        let id = process::id();
        let names = [format!("peers-{id}-1"), format!("peers-{id}-2")];
        let folder = std::env::temp_dir().join(format!("peers-machines-{id}"));
        fs::create_dir_all(&folder).unwrap();
        let machines = Self { names, folder };
        let [one, two] = &machines.names;
        let made = ip(&format!("netns add {one}"))
            && ip(&format!("netns add {two}"))
            && ip(&format!("-n {one} link add cable type veth peer name cable netns {two}"));
        let ready = |(name, last): (&String, u8)| {
            ip(&format!("-n {name} addr add 10.99.0.{last}/24 dev cable"))
                && ip(&format!("-n {name} link set cable up"))
                && ip(&format!("-n {name} link set lo up"))
        };
        (made && [(one, 1), (two, 2)].into_iter().all(ready)).then_some(machines)
    }

    /// The command that runs a program of ours on one of them.
    fn on(&self, machine: usize, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new("ip");
        let package = format!("peers-{program}");
        command.args(["netns", "exec", &self.names[machine - 1]]);
        command.arg(binary(&package, program)).args(words).stdin(Stdio::null());
        command.current_dir(&self.folder).env_remove("RUST_LOG");
        command
    }

    fn run(&self, machine: usize, program: &str, words: &[&str]) -> Result<String, String> {
        let output = self.on(machine, program, words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Starts a node and waits until it listens; returns it with its address.
    fn serve(&self, machine: usize, program: &str, words: &[&str]) -> Node {
        let mut command = self.on(machine, program, &[&["serve"], words].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        // What comes later is read too, so that the node never waits for it.
        std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(drop));
        let address = line.split_once('[').and_then(|(_, rest)| rest.split_once("]: listening"));
        let address = address.unwrap_or_else(|| panic!("it does not listen: {line}")).0.to_owned();
        Node { child, address }
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&format!("netns del {name}")); // one that was never made is not there either
        }
        drop(fs::remove_dir_all(&self.folder));
    }
}

struct Node {
    child: Child,
    address: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Asks until the answer is the expected one, for half a minute at most.
fn eventually(expected: &str, ask: impl Fn() -> Result<String, String>) {
    let mut answer = ask();
    for _ in 0..300 {
        if answer.as_deref() == Ok(expected) {
            return;
        }
        let (_open, pause) = std::sync::mpsc::channel::<()>();
        assert!(pause.recv_timeout(Duration::from_millis(100)).is_err(), "nothing is ever sent");
        answer = ask();
    }
    panic!("{answer:?} instead of {expected:?}");
}

#[test]
fn the_applications_run_encrypted_between_two_machines() {
    let Some(machines) = Machines::new() else {
        return println!("skipped: no network namespaces can be made here");
    };
    registry(&machines);
    diamond(&machines);
    numbers(&machines);
}

fn registry(machines: &Machines) {
    let key = machines.run(1, "registry", &["keygen", "node.key"]).unwrap();
    let error = machines.run(1, "registry", &["serve", "inet:10.99.0.1:5000"]).unwrap_err();
    assert!(error.contains("can be reached by others"), "{error}");
    let node = machines.serve(1, "registry", &["inet:10.99.0.1:5000", "--key", "node.key"]);
    assert_eq!(node.address, format!("inet:{key}@10.99.0.1:5000"));
    let put = machines.run(2, "registry", &["put", &node.address, "arrakis", "dune"]);
    assert_eq!(put, Ok(String::new()));
    assert_eq!(machines.run(2, "registry", &["get", &node.address, "arrakis"]).unwrap(), "dune");
    assert_eq!(machines.run(2, "registry", &["key", "inet:10.99.0.1:5000"]).unwrap(), key);
    let error = machines.run(2, "registry", &["get", "inet:10.99.0.1:5000", "arrakis"]);
    assert!(error.unwrap_err().contains("would be dialled in clear text"));
}

/// Four nodes, two on each machine, as a diamond; one is killed.
fn diamond(machines: &Machines) {
    let start = |machine: usize, number: usize, peers: &[&str]| {
        let file = format!("n{number}.key");
        machines.run(machine, "p2p", &["keygen", &file]).unwrap();
        let place = format!("inet:10.99.0.{machine}:600{number}");
        machines.serve(machine, "p2p", &[&[&place[..], "--key", &file], peers].concat())
    };
    let n1 = start(1, 1, &[]);
    let n2 = start(2, 2, &[&n1.address]);
    let n3 = start(1, 3, &[&n1.address]);
    let n4 = start(2, 4, &[&n2.address, &n3.address]);
    let put =
        |node: &Node, value| machines.run(1, "p2p", &["put", &node.address, "arrakis", value]);
    let get_all = |node: &Node| machines.run(2, "p2p", &["get-all", &node.address, "arrakis"]);
    assert_eq!(put(&n1, "dune"), Ok(String::new()));
    assert_eq!(put(&n2, "atreides"), Ok(String::new()));
    assert_eq!(put(&n3, "harkonnen"), Ok(String::new()));
    eventually("atreides\ndune\nharkonnen", || get_all(&n4));
    drop(n3);
    eventually("atreides\ndune", || get_all(&n4));
    eventually("atreides\ndune", || get_all(&n1));
}

fn numbers(machines: &Machines) {
    machines.run(2, "numbers", &["keygen", "loner.key"]).unwrap();
    let words = ["loner", "inet:10.99.0.2:7000", "--key", "loner.key"];
    let loner = machines.serve(2, "numbers", &words);
    assert_eq!(machines.run(1, "numbers", &["gcd", &loner.address, "91", "35"]).unwrap(), "7");
}
