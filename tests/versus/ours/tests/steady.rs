//! A client that goes on calling while its server is killed and started again: each call has one
//! outcome, and the client finds its way back by itself.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Calls in a second, and for how many seconds.
const RATE: usize = 200;
const SECONDS: usize = 4;

/// Says how long a line may take before the client counts as hanging.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ends with its owner, hard.
struct Running(Child);

impl Running {
    /// Starts a program, whose lines are to be read.
    fn start(program: &str, words: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(words).stdout(Stdio::piped());
        Self(command.spawn().expect("it was built with this test"))
    }

    /// A server that listens.
    fn serve(address: &str) -> Self {
        let mut server =
            Self::start(env!("CARGO_BIN_EXE_peers-bench-server"), &["--addr", address]);
        assert_eq!(server.lines().recv_timeout(PATIENCE).as_deref(), Ok("READY"));
        server
    }

    /// Returns what it says, line by line, until it has ended.
    fn lines(&mut self) -> Receiver<String> {
        let out = self.0.stdout.take().expect("its lines are read once");
        let (give, take) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            lines.take_while(|line| give.send(line.clone()).is_ok()).for_each(drop);
        });
        take
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _gone_already = self.0.wait();
    }
}

/// Takes lines until so many of them were of this kind.
fn until(said: &Receiver<String>, lines: &mut Vec<String>, kind: &str, count: usize) {
    let mut seen = 0;
    while seen < count {
        let line = said.recv_timeout(PATIENCE).expect("the client goes on");
        seen += usize::from(line.starts_with(kind));
        lines.push(line);
    }
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

#[test]
fn calls_fail_while_the_server_is_gone_and_succeed_when_it_is_back() {
    let address = format!("127.0.0.1:{}", free_port());
    let (rate, seconds) = (RATE.to_string(), SECONDS.to_string());
    let words = ["--addr", &address, "--mode", "steady", "--rate", &rate, "--seconds", &seconds];
    let server = Running::serve(&address);
    let mut client = Running::start(env!("CARGO_BIN_EXE_peers-bench-client"), &words);
    let (said, mut lines) = (client.lines(), Vec::new());

    until(&said, &mut lines, "ok ", RATE);
    assert_eq!(lines.len(), RATE, "all succeed while the server is there: {lines:?}");
    drop(server);
    until(&said, &mut lines, "err ", RATE / 2);
    let server = Running::serve(&address);
    until(&said, &mut lines, "ok ", 1);
    let back = lines.len();
    lines.extend(said.iter());
    drop(server);

    assert!(client.0.wait().expect("it is our child").success());
    assert_eq!(lines.len(), RATE * SECONDS, "each call has one outcome");
    for line in lines.iter().filter(|line| !line.starts_with("ok ")) {
        assert!(
            line.starts_with("err rpc error: "),
            "an answer, or an error of its own type: {line}"
        );
        assert!(line.contains(": disconnected: "), "it says what has happened: {line}");
    }
    assert!(lines[back..].iter().all(|line| line.starts_with("ok ")), "{:?}", &lines[back..]);
}
