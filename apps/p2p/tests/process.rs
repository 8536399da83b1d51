//! The binary as a user meets it: real processes, real sockets, the lines that they print.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_service::NodeProcess;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

const P2P: &str = env!("CARGO_BIN_EXE_p2p");
const PATIENCE: Duration = Duration::from_secs(20);
/// An address where nobody listens, and nobody can by accident.
const NOWHERE: &str = "unix:/nowhere/at/all";

/// Nodes, and what they print. The lines go first when it is dropped, so that no node waits to get
/// rid of one.
struct Net {
    lines: Receiver<String>,
    nodes: Vec<NodeProcess>,
    sender: SyncSender<String>,
}

impl Net {
    fn new() -> Self {
        let (sender, lines) = sync_channel(1_024);
        Self { lines, nodes: Vec::new(), sender }
    }

    /// Starts a node and waits until its peers have greeted it.
    fn start(&mut self, address: &str, peers: &[usize]) -> usize {
        let words = ["serve".to_owned(), address.to_owned()].into_iter();
        let words: Vec<String> =
            words.chain(peers.iter().map(|peer| self.address(*peer))).collect();
        let node = NodeProcess::start_into(Path::new(P2P), words, &self.sender).unwrap();
        let name = node.address().to_string();
        self.nodes.push(node);
        let newest = self.nodes.len() - 1;
        let greeting = format!("add peer {name}");
        let greetings = peers.iter().map(|peer| self.line(*peer, &greeting));
        let expected: Vec<String> = greetings.chain([self.line(newest, "listening")]).collect();
        self.expect(&expected);
        // A greeter that is asked asks the newcomer, which has heard the answer to its own greeting
        // by then.
        for peer in peers {
            assert_eq!(self.prints("get-all", *peer, &["settled?"]), "");
        }
        newest
    }

    fn address(&self, node: usize) -> String {
        self.nodes[node].address().to_string()
    }

    fn line(&self, node: usize, text: &str) -> String {
        format!("{} [{}]: {text}", self.nodes[node].id(), self.address(node))
    }

    /// The next lines are these, in whatever order; lines of different processes race each other.
    fn expect(&self, expected: &[String]) {
        let lines: Vec<String> = expected
            .iter()
            .map(|line| {
                let next = self.lines.recv_timeout(PATIENCE);
                next.unwrap_or_else(|_| panic!("nothing more, where {line:?} was to come"))
            })
            .collect();
        let sorted = |lines: &[String]| {
            let mut lines = lines.to_vec();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&lines), sorted(expected));
    }

    fn says(&self, node: usize, text: &str) {
        self.expect(&[self.line(node, text)]);
    }

    fn warns_and_removes(&self, node: usize, dead: &str) {
        let lines = [self.lines.recv_timeout(PATIENCE), self.lines.recv_timeout(PATIENCE)];
        let mut lines = lines.map(Result::unwrap);
        lines.sort_by_key(|line| !line.starts_with('['));
        assert!(is_warning(&lines[0]), "{lines:?}");
        assert_eq!(lines[1], self.line(node, &format!("removed dead peer: {dead}")));
    }

    fn run(&self, command: &str, node: usize, words: &[&str]) -> Output {
        p2p(&[&[command, &self.address(node)], words].concat())
    }

    /// Returns what a command prints that must succeed.
    fn prints(&self, command: &str, node: usize, words: &[&str]) -> String {
        let output = self.run(command, node, words);
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
        stdout(&output)
    }
}

/// `[2005/07/14 22:56:57] WARNING:  illegal_operation -- [overlay.rs:12]: illegal_operation:
/// Invalid endpoint: the connection to inet:localhost:5003 has ended [p2p]`
fn is_warning(line: &str) -> bool {
    let mask: String = line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let (head, tail) = mask.split_once(".rs:").unwrap_or_default();
    let tail = tail.trim_start_matches('0');
    head == "[0000/00/00 00:00:00] WARNING:  illegal_operation -- [overlay"
        && tail.starts_with("]: illegal_operation: Invalid endpoint: the connection to inet:")
        && tail.ends_with(" has ended [p0p]")
}

fn p2p(words: &[&str]) -> Output {
    Command::new(P2P).args(words).stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn diamond() -> Net {
    let mut net = Net::new();
    for peers in [&[] as &[usize], &[0], &[0], &[1, 2]] {
        net.start("inet:localhost:0", peers);
    }
    net
}

#[test]
fn the_tutorials_session_with_the_death_of_a_node() {
    let mut net = diamond();
    assert_eq!(net.prints("get-all", 0, &["arrakis"]), "");
    assert_eq!(net.prints("put", 0, &["arrakis", "dune"]), "");
    net.says(0, "put arrakis -> dune");

    assert_eq!(net.prints("get", 3, &["arrakis"]), "dune\n");
    let cached = "cached value: arrakis -> dune";
    let lines =
        [net.lines.recv_timeout(PATIENCE).unwrap(), net.lines.recv_timeout(PATIENCE).unwrap()];
    assert!(lines.contains(&net.line(3, cached)), "{lines:?}");
    assert!(lines.contains(&net.line(1, cached)) != lines.contains(&net.line(2, cached)));

    for (node, value) in [(1, "atreides territory"), (2, "harkonnen territory")] {
        net.prints("put", node, &["arrakis", value]);
        net.says(node, &format!("put arrakis -> {value}"));
    }
    for (node, value) in
        [(1, "atreides territory"), (2, "harkonnen territory"), (0, "dune"), (3, "dune")]
    {
        assert_eq!(net.prints("get", node, &["arrakis"]), format!("{value}\n"));
    }
    let all = "atreides territory\ndune\nharkonnen territory\n";
    assert_eq!(net.prints("get-all", 3, &["arrakis"]), all);

    net.prints("put", 3, &["arrakis", "fremen territory"]);
    net.says(3, "put arrakis -> fremen territory");
    let dead = net.address(2);
    net.nodes[2].kill().unwrap();
    for node in [0, 3] {
        let left = "atreides territory\ndune\nfremen territory\n";
        assert_eq!(net.prints("get-all", node, &["arrakis"]), left);
        net.warns_and_removes(node, &dead);
    }
    net.prints("put", 1, &["arrakis", "fremen territory"]);
    net.says(1, "put arrakis -> fremen territory");
    assert_eq!(net.prints("get-all", 0, &["arrakis"]), "dune\nfremen territory\n");
}

/// The sockets that a node holds: its listener's, those of its signals, and those of its
/// connections.
#[cfg(target_os = "linux")]
fn sockets(node: &NodeProcess) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", node.id())).unwrap();
    let targets = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

#[test]
#[cfg(target_os = "linux")]
fn a_link_is_one_socket_at_either_end() {
    let net = Net::new();
    let start = |peers: &[&NodeProcess]| {
        let peers = peers.iter().map(|peer| peer.address().to_string());
        let words = ["serve", "inet:localhost:0"].map(str::to_owned).into_iter().chain(peers);
        NodeProcess::start_into(Path::new(P2P), words, &net.sender).unwrap()
    };
    let first = start(&[]);
    let (second, third) = (start(&[&first]), start(&[&first]));
    let (fourth, last) = (start(&[&second, &third]), start(&[&first]));
    for _ in 0..5 + 5 {
        drop(net.lines.recv_timeout(PATIENCE).unwrap()); // each listens, and each link is greeted
    }
    let links = [(&first, 3), (&second, 2), (&third, 2), (&fourth, 2)];
    let one_link = sockets(&last);
    for (node, links) in links {
        assert_eq!(sockets(node) - one_link, links - 1);
    }
    // The node that dialled nobody asks all others all the same, and those get no socket for it.
    let asked = p2p(&["get-all", &first.address().to_string(), "arrakis", "--count"]);
    assert_eq!(stdout(&asked), "requests: 6 by visited nodes\n");
    for (node, links) in &links[1..] {
        assert_eq!(sockets(node) - one_link, links - 1);
    }
}

#[test]
fn both_ways_of_searching_show_what_they_cost() {
    let net = diamond();
    net.prints("put", 0, &["arrakis", "dune"]);
    net.prints("put", 3, &["arrakis", "arrakeen"]);
    let all = "arrakeen\ndune\n";
    let print = |options: &[&str]| net.prints("get-all", 1, &[&["arrakis"], options].concat());
    assert_eq!(print(&["--by-id"]), all);
    assert_eq!(print(&["--count"]), format!("{all}requests: 5 by visited nodes\n"));
    assert_eq!(
        print(&["--by-id", "--count"]),
        format!("{all}requests: 6 by query id, 5 by visited nodes\n")
    );
}

#[test]
fn a_node_that_comes_back_is_found_again() {
    let mut net = Net::new();
    let first = net.start("inet:localhost:0", &[]);
    let second = net.start("inet:localhost:0", &[first]);
    let address = net.address(first);
    net.nodes[first].kill().unwrap();
    let again = NodeProcess::start_into(Path::new(P2P), ["serve", &address], &net.sender).unwrap();
    net.nodes[first] = again;
    net.says(first, "listening");
    net.says(first, &format!("add peer {}", net.address(second)));
    assert_eq!(net.prints("get-all", first, &["settled?"]), "");
    net.prints("put", second, &["arrakis", "dune"]);
    net.says(second, "put arrakis -> dune");
    assert_eq!(net.prints("get", first, &["arrakis"]), "dune\n");
    net.says(first, "cached value: arrakis -> dune");
}

#[test]
fn a_first_peer_that_is_not_there_is_a_warning() {
    let net = Net::new();
    let words = ["serve", "inet:localhost:0", NOWHERE];
    let _node = NodeProcess::start_into(Path::new(P2P), words, &net.sender).unwrap();
    let lines = [net.lines.recv_timeout(PATIENCE), net.lines.recv_timeout(PATIENCE)];
    let lines = lines.map(Result::unwrap);
    let warning = lines.iter().find(|line| line.contains("WARNING")).expect("a warning");
    assert!(warning.contains(NOWHERE), "{warning}");
    assert!(warning.contains("[overlay.rs:") && warning.ends_with(" [p2p]"), "{warning}");
}

#[test]
fn what_others_say_cannot_move_the_cursor() {
    let mut net = Net::new();
    let node = net.start("inet:localhost:0", &[]);
    net.prints("put", node, &["arrakis", "dune\u{1b}[2J\n4625 [n1]: put a -> b"]);
    net.says(node, "put arrakis -> dune\\u{1b}[2J\\u{a}4625 [n1]: put a -> b");
}

#[test]
fn a_signal_ends_a_node_with_peers_in_good_order() {
    let mut net = Net::new();
    let path = std::env::temp_dir().join(format!("peers-p2p-{}", std::process::id()));
    let first = net.start(&format!("unix:{}", path.display()), &[]);
    let second = net.start("inet:localhost:0", &[first]);
    let mut child = Command::new(P2P)
        .args(["serve", "inet:localhost:0", &net.address(first), &net.address(second)])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..2 {
        let line = net.lines.recv_timeout(PATIENCE).unwrap();
        assert!(line.contains("]: add peer inet:localhost:"), "{line}");
    }
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(net.prints("get-all", first, &["arrakis"]), "");
}

#[test]
fn exit_codes_and_words() {
    let net = diamond();
    let missing = net.run("get", 0, &["Muad'Dib"]);
    assert_eq!((missing.status.code(), stdout(&missing)), (Some(1), String::new()));
    assert!(stderr(&missing).contains("::no_such_key: Muad'Dib\n"), "{}", stderr(&missing));

    let nobody = p2p(&["get-all", NOWHERE, "arrakis"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(stderr(&nobody).contains("serve"), "{}", stderr(&nobody));

    for words in [&[] as &[&str], &["serve"], &["get", "inet:localhost:1"], &["fly"]] {
        let output = p2p(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(stderr(&output).contains("Usage:"), "{words:?}");
    }
    assert_eq!(p2p(&["serve", "inet:localhost:0", "nonsense"]).status.code(), Some(2));
    assert_eq!(p2p(&["serve", "inet:0.0.0.0:0"]).status.code(), Some(2));
    let help = p2p(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for word in ["serve", "put", "get", "get-all", "demo", "--by-id", "--count", "--timeout"] {
        assert!(stdout(&help).contains(word), "{word}");
    }
}

#[test]
fn the_demo_shows_the_tutorials_session() {
    let demo = p2p(&["demo"]);
    assert_eq!(demo.status.code(), Some(0), "{}", stderr(&demo));
    let text = stdout(&demo);
    let mut rest = text.as_str();
    for line in [
        "]: listening",
        "]: add peer inet:localhost:",
        "> n1.get_all(\"arrakis\").wait()?\n()\n",
        "]: put arrakis -> dune\n",
        "]: cached value: arrakis -> dune\n",
        "]: cached value: arrakis -> dune\n\"dune\"\n",
        "]: put arrakis -> atreides territory\n",
        "]: put arrakis -> harkonnen territory\n",
        "(\"atreides territory\", \"dune\", \"harkonnen territory\")\n",
        "]: put arrakis -> fremen territory\n",
        "WARNING:  illegal_operation -- [overlay.rs:",
        "]: removed dead peer: inet:localhost:",
        "(\"atreides territory\", \"dune\", \"fremen territory\")\n",
        "WARNING:  illegal_operation -- [overlay.rs:",
        "]: removed dead peer: inet:localhost:",
        "(\"atreides territory\", \"dune\", \"fremen territory\")\n",
        "]: put arrakis -> fremen territory\n",
        "(\"dune\", \"fremen territory\")\n",
    ] {
        let (_, after) =
            rest.split_once(line).unwrap_or_else(|| panic!("{line:?} lacks in\n{text}"));
        rest = after;
    }
}
