//! The binary as a user meets it: what it prints, on which stream, with which exit code.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_numbers::Number;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

const NUMBERS: &str = env!("CARGO_BIN_EXE_numbers");

/// A node that is killed when the test is over.
struct Node {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
}

impl Node {
    fn start(kind: &str, address: &str, peers: &[&Self]) -> Self {
        let peers = peers.iter().map(|peer| peer.address.as_str());
        let mut child = Command::new(NUMBERS)
            .args(["serve", kind, address])
            .args(peers)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut node = Self { child, stdout, address: String::new() };
        let line = node.line();
        node.address = line.strip_prefix('[').unwrap().replace("]: listening", "");
        node
    }

    fn loner() -> Self {
        Self::start("loner", "inet:localhost:0", &[])
    }

    fn herd(peers: &[&Self]) -> Self {
        Self::start("herd", "inet:localhost:0", peers)
    }

    /// The next line, without the process id and what stands between that and the rest.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let rest = line.strip_prefix(&self.child.id().to_string()).expect(&line);
        rest.trim_start_matches([':', ' ']).trim_end().to_owned()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    fn run(&self, command: &str, words: &[&str]) -> Output {
        numbers(&[&[command, &self.address], words].concat())
    }

    /// The result that a command prints.
    fn ask(&self, command: &str, words: &[&str]) -> String {
        let output = self.run(command, words);
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()), "{command}");
        stdout(&output).strip_suffix('\n').unwrap().to_owned()
    }

    /// Ends it in good order and gives what it had printed.
    fn rest(mut self) -> String {
        self.signal("-TERM");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn numbers(words: &[&str]) -> Output {
    Command::new(NUMBERS).args(words).stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The tutorial's session, by five commands.
fn session(node: &Node) {
    let x = node.ask("get-prime", &["192"]);
    assert_eq!(x.parse::<Number>().unwrap().bits(), 192);
    assert_eq!(node.ask("is-prime", &[&x]), "true");
    let y = node.ask("get-random", &["192"]);
    assert_eq!(y.parse::<Number>().unwrap().bits(), 192);
    assert_eq!(node.ask("gcd", &[&x, &y]), "1");
    let z: Number = node.ask("inverse", &[&y, &x]).parse().unwrap();
    let (x, y) = (x.parse().unwrap(), y.parse::<Number>().unwrap());
    assert_eq!(z.times(&y).modulo(&x), Ok(Number::from(1)));
}

#[test]
fn the_session_with_a_loner() {
    let node = Node::loner();
    session(&node);
    assert_eq!(node.ask("is-prime", &["561"]), "false");
    assert_eq!(node.ask("gcd", &["12", "90"]), "6");
    assert_eq!(node.ask("inverse", &["3", "11"]), "4");
    assert_eq!(node.rest(), "", "a loner prints nothing more");
}

#[test]
fn the_session_with_a_herd_of_three() {
    let mut first = Node::herd(&[]);
    let others = [Node::herd(&[&first]), Node::herd(&[&first])];
    let port = first.address.rsplit(':').next().unwrap().to_owned();
    let mut names = Vec::new();
    for _ in &others {
        let line = first.line();
        let name = line.strip_prefix("Added peer at ").expect(&line);
        assert!(name.contains("]@{{{AF_INET:127.0.0.1:"), "{name}");
        let listener = format!("}}:{{AF_INET:127.0.0.1:{port}}}}}}}, node ");
        assert!(name.contains(&listener), "{name}");
        names.push(name.to_owned());
    }
    for _ in 0..3 {
        session(&first);
    }
    let lines = first.rest();
    let methods = ["get_prime", "is_prime", "get_random", "GCD", "inverse"];
    for line in lines.lines() {
        let (_, text) = line.split_once(": ").unwrap();
        match text.strip_prefix("Forward to ") {
            Some(peer) => assert!(names.iter().any(|name| name == peer), "{line}"),
            None => assert!(methods.contains(&text), "{line}"),
        }
    }
    for method in methods {
        assert!(lines.contains(&format!(": {method}\n")), "{method} is missing from:\n{lines}");
    }
    for other in others {
        for line in other.rest().lines().filter(|line| line.contains("Forward")) {
            assert!(line.ends_with(&format!("]@{{{{AF_INET:127.0.0.1:{port}}}}}")), "{line}");
        }
    }
}

#[test]
fn over_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("peers-numbers-{}", std::process::id()));
    let node = Node::start("herd", &format!("unix:{}", path.display()), &[]);
    session(&node);
    node.rest();
    assert!(!path.exists(), "the socket file is removed");
}

#[test]
fn mathematics_that_fails_is_an_exception_and_exit_code_1() {
    for node in [Node::loner(), Node::herd(&[])] {
        for (command, words, reason) in [
            ("inverse", &["6", "9"] as &[&str], "no inverse"),
            ("inverse", &["6", "0"], "zero"),
            ("get-prime", &["1"], "1 bits: primes are made with 2 to 4096 bits"),
            ("get-prime", &["4097"], "4097 bits"),
            ("get-random", &["0"], "0 bits: random numbers are made with 1 to 4096 bits"),
        ] {
            let output = node.run(command, words);
            assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
            let text = stderr(&output);
            assert!(text.starts_with("numbers: rpc error: ["), "{text}");
            assert!(text.contains("remote exception: [operation.rs:"), "{text}");
            assert!(text.contains("] ::operation_failed: ") && text.contains(reason), "{text}");
        }
    }
}

#[test]
fn nobody_there_is_exit_code_2_and_words_that_help() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = numbers(&["is-prime", &format!("inet:localhost:{free}"), "7"]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.contains("refused") && text.contains("serve"), "{text}");
}

#[test]
fn what_takes_too_long_is_exit_code_2_wherever_it_is_computed() {
    // A peer that is stopped makes the forwarded half of the requests late as well.
    let mut first = Node::herd(&[]);
    let second = Node::herd(&[&first]);
    assert!(first.line().starts_with("Added peer at "));
    second.signal("-STOP");
    for _ in 0..6 {
        let output = first.run("get-prime", &["4096", "--timeout", "0.2"]);
        if output.status.code() == Some(0) {
            continue; // one in a few hundred is found at once
        }
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), String::new()));
        let text = stderr(&output);
        assert!(text.contains("timed out") && text.contains("numbers.node.get_prime"), "{text}");
        assert!(!text.contains('\r'), "no status line unless on a terminal: {text}");
    }
    second.signal("-CONT");
}

#[test]
fn a_herd_that_has_lost_its_first_node_finds_it_again() {
    let first = Node::herd(&[]);
    let second = Node::herd(&[&first]);
    let address = first.address.clone();
    drop(first);
    assert_eq!(second.ask("is-prime", &["65537"]), "true");
    let mut first = Node::start("herd", &address, &[]);
    assert!(first.line().starts_with("Added peer at "));
}

#[test]
fn a_wrong_command_line_says_what_is_wrong() {
    for words in [
        &[] as &[&str],
        &["serve"],
        &["serve", "inet:localhost:0"],
        &["serve", "flock", "inet:localhost:0"],
        &["serve", "loner", "inet:localhost:0", "inet:localhost:1"],
        &["gcd", "inet:localhost:1", "1"],
        &["fly", "inet:localhost:1", "1"],
    ] {
        let output = numbers(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(stderr(&output).contains("Usage:"), "{words:?}: {}", stderr(&output));
    }
    for (words, wrong) in [
        (["is-prime", "inet:localhost:1", "12x"], "not a number"),
        (["is-prime", "inet:localhost:1", ""], "not a number"),
        (["get-prime", "inet:localhost:1", "many"], "BITS"),
        (["get-prime", "inet:localhost:1", "99999999999"], "BITS"),
        (["is-prime", "localhost", "7"], "inet:localhost:5000"),
        (["serve", "herd", "inet:0.0.0.0:0"], "--insecure"),
    ] {
        let output = numbers(&words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(stderr(&output).contains(wrong), "{words:?}: {}", stderr(&output));
    }
    let endless = "9".repeat(2_500);
    let output = numbers(&["is-prime", "inet:localhost:1", &endless]);
    assert!(stderr(&output).contains("at most 8192 bits"), "{}", stderr(&output));
}

#[test]
fn help_goes_to_standard_output() {
    let help = numbers(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let words = ["loner", "herd", "get-random", "get-prime", "is-prime", "gcd", "inverse", "demo"];
    for word in words.into_iter().chain(["--timeout", "--insecure", "Exit codes"]) {
        assert!(stdout(&help).contains(word), "{word}");
    }
    assert!(stdout(&numbers(&["--version"])).starts_with("numbers 0."));
}

#[test]
fn the_demo_shows_both_sessions_in_order() {
    let demo = numbers(&["demo"]);
    assert_eq!((demo.status.code(), stderr(&demo)), (Some(0), String::new()));
    let text = stdout(&demo);
    assert_eq!(text.matches("]: listening").count(), 4, "{text}");
    assert_eq!(text.matches(": Added peer at [").count(), 2, "{text}");
    assert_eq!(text.matches("z.times(&y).modulo(&x)?\n1\n").count(), 2, "{text}");
    let (_, herd) = text.split_once("A herd of three").unwrap();
    // Each request: the method at the first node, perhaps forwards and the same method elsewhere,
    // the result.
    for (call, method) in [
        ("get_prime(512)", "get_prime"),
        ("is_prime(&x)", "is_prime"),
        ("get_random(512)", "get_random"),
        ("gcd(&x, &y)", "GCD"),
        ("inverse(&y, &x)", "inverse"),
    ] {
        let (_, after) = herd.split_once(&format!("n.{call}.wait()?")).unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        let (said, _) = after.split_once("\n> ").unwrap();
        let said: Vec<&str> = said.lines().collect();
        let (result, steps) = said.split_last().unwrap();
        assert!(result.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{result}");
        assert!(steps.len() % 2 == 1 && steps.len() <= 17, "{steps:?}");
        for (at, line) in steps.iter().enumerate() {
            let (_, text) = line.split_once(": ").unwrap();
            let forward = text.starts_with("Forward to [");
            assert!(if at % 2 == 0 { text == method } else { forward }, "{steps:?}");
        }
    }
}
