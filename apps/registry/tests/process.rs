//! The binary as a user meets it: what it prints, on which stream, with which exit code.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

const REGISTRY: &str = env!("CARGO_BIN_EXE_registry");

/// A node that is killed when the test is over.
struct Node {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
}

impl Node {
    fn start(address: &str) -> Self {
        let mut child = Command::new(REGISTRY)
            .args(["serve", address])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let (pid, rest) = line.trim_end().split_once(" [").expect(&line);
        assert_eq!(pid, child.id().to_string());
        let address = rest.strip_suffix("]: listening").expect(&line).to_owned();
        Self { child, stdout, address }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    fn run(&self, command: &str, words: &[&str]) -> Output {
        registry(&[&[command, &self.address], words].concat())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn registry(words: &[&str]) -> Output {
    Command::new(REGISTRY).args(words).stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn socket_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("peers-registry-{name}-{}", std::process::id()))
}

fn puts_and_gets(node: &Node) {
    let put = node.run("put", &["arrakis", "dune"]);
    assert_eq!(
        (put.status.code(), stdout(&put), stderr(&put)),
        (Some(0), String::new(), String::new())
    );
    let get = node.run("get", &["arrakis"]);
    assert_eq!((get.status.code(), stdout(&get).as_str()), (Some(0), "dune\n"));
}

#[test]
fn a_value_put_by_one_process_is_got_by_another_over_tcp() {
    let node = Node::start("inet:localhost:0");
    assert!(node.address.starts_with("inet:localhost:") && !node.address.ends_with(":0"));
    puts_and_gets(&node);
}

#[test]
fn over_a_unix_socket() {
    let path = socket_path("unix");
    let node = Node::start(&format!("unix:{}", path.display()));
    puts_and_gets(&node);
    let missing = node.run("get", &["x"]);
    assert!(stderr(&missing).contains("{AF_UNIX:"), "{}", stderr(&missing));
}

#[test]
fn over_ipv6() {
    let node = Node::start("inet:[::1]:0");
    assert!(node.address.starts_with("inet:[::1]:"), "{}", node.address);
    puts_and_gets(&node);
}

#[test]
fn a_missing_key_is_the_tutorials_exception_and_exit_code_1() {
    let node = Node::start("inet:localhost:0");
    let get = node.run("get", &["Muad'Dib"]);
    assert_eq!((get.status.code(), stdout(&get)), (Some(1), String::new()));
    let text = stderr(&get);
    let (head, tail) = text.split_once("]@{{{AF_INET:127.0.0.1:").expect(&text);
    let id = head.strip_prefix("registry: rpc error: [").expect(&text);
    assert!((20..=30).contains(&id.len()) && id.chars().all(|c| c.is_ascii_hexdigit()), "{id}");
    let port = node.address.rsplit(':').next().unwrap();
    let (dialler, tail) = tail.split_once("}:{AF_INET:127.0.0.1:").expect(&text);
    assert!(dialler.parse::<u16>().is_ok());
    let tail =
        tail.strip_prefix(&format!("{port}}}}}}}: remote exception: [node.rs:")).expect(&text);
    let (line, tail) = tail.split_once("] ").expect(&text);
    assert!(line.parse::<u32>().is_ok());
    assert_eq!(tail, "::no_such_key: Muad'Dib\n");
}

#[test]
fn nobody_there_is_exit_code_2_and_words_that_help() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let get = registry(&["get", &format!("inet:localhost:{free}"), "arrakis"]);
    assert_eq!(get.status.code(), Some(2));
    let text = stderr(&get);
    assert!(text.contains("refused") && text.contains("serve"), "{text}");
}

#[test]
fn a_stopped_node_is_a_time_out_and_exit_code_2() {
    let node = Node::start("inet:localhost:0");
    node.signal("-STOP");
    let get = node.run("get", &["arrakis", "--timeout", "0.3"]);
    node.signal("-CONT");
    assert_eq!(get.status.code(), Some(2));
    assert!(stderr(&get).contains("timed out"), "{}", stderr(&get));
}

#[test]
fn a_foreign_server_is_named() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let speaker = std::thread::spawn(move || {
        use std::io::Write as _;
        let (mut socket, _) = server.accept().unwrap();
        socket.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").unwrap();
        drop(socket.read(&mut [0; 64]));
    });
    let get = registry(&["get", &format!("inet:localhost:{port}"), "arrakis"]);
    speaker.join().unwrap();
    assert_eq!(get.status.code(), Some(2));
    assert!(stderr(&get).contains("SSH"), "{}", stderr(&get));
}

#[test]
fn a_port_in_use_is_said_so() {
    let node = Node::start("inet:localhost:0");
    let second = registry(&["serve", &node.address]);
    assert_eq!(second.status.code(), Some(2));
    assert!(stderr(&second).contains("in use"), "{}", stderr(&second));
}

#[test]
fn an_address_for_everybody_needs_a_word() {
    let refused = registry(&["serve", "inet:0.0.0.0:0"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--insecure"), "{}", stderr(&refused));
}

#[test]
fn a_wrong_address_shows_what_one_looks_like() {
    for word in ["localhost", "inet:localhost", "inet:localhost:99999", "ftp:x:1", "inet::5000", ""]
    {
        let output = registry(&["get", word, "key"]);
        assert_eq!(output.status.code(), Some(2), "{word}");
        assert!(stderr(&output).contains("inet:"), "{word}: {}", stderr(&output));
    }
}

#[test]
fn a_wrong_command_line_shows_the_usage() {
    for words in [&[] as &[&str], &["get"], &["serve"], &["fly", "to", "arrakis"]] {
        let output = registry(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(stderr(&output).contains("Usage:"), "{words:?}");
        assert!(stderr(&output).contains(&words.join(" ")), "{words:?}: it says what it was told");
    }
    assert!(stderr(&registry(&["--nonsense"])).contains("--nonsense"));
}

/// As `registry fly 2>&1 | head -1` does.
#[test]
fn nobody_needs_to_read_what_it_says() {
    for (words, code) in [(&["fly"] as &[&str], 2), (&["--help"], 0)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_registry"));
        command.args(words).stdout(writer.try_clone().unwrap()).stderr(writer);
        assert_eq!(command.status().unwrap().code(), Some(code), "{words:?}");
    }
}

#[test]
fn help_goes_to_standard_output() {
    let help = registry(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for word in ["serve", "put", "get", "demo", "--timeout", "--insecure", "Exit codes"] {
        assert!(stdout(&help).contains(word), "{word}");
    }
    assert!(stdout(&registry(&["--version"])).starts_with("registry 0."));
}

#[test]
fn a_signal_ends_it_in_good_order() {
    for signal in ["-TERM", "-INT"] {
        let path = socket_path(&format!("signal{signal}"));
        let mut node = Node::start(&format!("unix:{}", path.display()));
        puts_and_gets(&node);
        node.signal(signal);
        assert_eq!(node.child.wait().unwrap().code(), Some(0), "{signal}");
        let mut rest = String::new();
        node.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "the basic node prints nothing more");
        assert!(!path.exists(), "the socket file is removed");
    }
}

#[test]
fn the_demo_shows_the_tutorials_first_session() {
    let demo = registry(&["demo"]);
    assert_eq!(demo.status.code(), Some(0), "{}", stderr(&demo));
    let text = stdout(&demo);
    for line in [
        "]: listening",
        "\"dune\"",
        "Got: arrakis -> dune",
        "::no_such_key: Muad'Dib",
        "::no_such_key: Maud'Dib",
    ] {
        assert!(text.contains(line), "{line} is missing from:\n{text}");
    }
    assert_eq!(text.matches("Oops: rpc error: [").count(), 2, "{text}");
}
