//! Promise: other software that knows TLS 1.3 with raw keys talks to us, in both roles. Needs
//! `gnutls-cli` and `gnutls-serv`; without them a line says that this was skipped.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and say why not")]

mod common;

use common::folder::Folder;
use common::{End, identity, rng};
use peers_rpc::SecureTransport as _;
use peers_secure::Identity;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PRIORITY: &str = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CTYPE-ALL:+CTYPE-RAWPK";
/// A busy machine may take as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A key of the other software, in the files that it wants.
struct Keys {
    folder: Folder,
    identity: Identity,
}

impl Keys {
    /// Nothing, and a line, if the other software is not here.
    fn new(tool: &str, name: &str) -> Option<Self> {
        if Command::new(tool).arg("--version").output().is_err() {
            println!("skipped: no {tool} here (Debian has it in gnutls-bin)");
            return None;
        }
        let (folder, identity) = (Folder::new(name), identity(20));
        folder.with("key.pem", &identity.to_pem(), 0o600);
        let der = [&PREFIX[..], &identity.key().0].concat();
        let pem =
            format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&der));
        folder.with("public.pem", &pem, 0o600);
        Some(Self { folder, identity })
    }

    fn arguments(&self) -> [String; 8] {
        let path = |name: &str| -> PathBuf { self.folder.0.join(name) };
        [
            "--priority".into(),
            PRIORITY.into(),
            "--rawpkkeyfile".into(),
            path("key.pem").display().to_string(),
            "--rawpkfile".into(),
            path("public.pem").display().to_string(),
            "--alpn".into(),
            "peers/1".into(),
        ]
    }
}

const PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0];

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut word = [0; 3];
        word[..group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes([0, word[0], word[1], word[2]]);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63] as char;
            text.push(if place > group.len() { '=' } else { digit });
        }
    }
    text
}

/// A process that ends with the test.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _over = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A layer on a socket.
struct Connection {
    stream: TcpStream,
    end: End,
}

impl Connection {
    fn new(stream: TcpStream, end: End) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, end }
    }

    fn push(&mut self) {
        self.stream.write_all(&std::mem::take(&mut self.end.out)).unwrap();
    }

    /// Talks until `done`.
    fn until(&mut self, what: &str, done: impl Fn(&End) -> bool) {
        let mut bytes = [0; 4096];
        while !done(&self.end) {
            self.push();
            let read = self.stream.read(&mut bytes).unwrap();
            assert!(read > 0, "{what}: it ended; {:?}", self.end.error);
            self.end.hear(&bytes[..read]);
            assert!(self.end.error.is_none(), "{what}: {:?}", self.end.error);
        }
        self.push();
    }

    fn say(&mut self, text: &str) {
        self.end.say(text.as_bytes());
        self.push();
    }

    fn hear(&mut self, text: &str) {
        self.until(text, |end| String::from_utf8_lossy(&end.plain).contains(text));
    }
}

#[test]
fn gnutls_dials_us() {
    let Some(keys) = Keys::new("gnutls-cli", "gnutls-cli") else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut client = Command::new("gnutls-cli")
        .args(keys.arguments())
        .args(["--no-ca-verification", "--no-tofu", "--inline-commands", "-p", &port, "127.0.0.1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(Other)
        .unwrap();
    let mut stdin = client.0.stdin.take().unwrap();
    let stream = listener.accept().unwrap().0;
    let mut ours = Connection::new(stream, End::new(identity(1).accept(rng(1))));
    ours.until("proof", |end| end.layer.peer().is_some());
    assert_eq!(ours.end.layer.peer(), Some(keys.identity.key()));
    stdin.write_all(b"a first line\n").unwrap();
    ours.hear("a first line");
    ours.say("our answer\n");
    // It takes its next key and asks for ours, twice.
    for line in ["a second line", "a third line"] {
        stdin.write_all(format!("^rekey^\n{line}\n").as_bytes()).unwrap();
        ours.hear(line);
        ours.say("another answer\n");
    }
    let heard = String::from_utf8_lossy(&ours.end.plain).into_owned();
    assert!(!heard.contains("rekey"), "it knows the word");
    drop(stdin);
    ours.until("its goodbye", |end| end.ended);
    let mut out = Vec::new();
    ours.end.layer.close(&mut out);
    ours.end.out = out;
    ours.push();
    assert!(client.0.wait().unwrap().success());
}

#[test]
fn we_dial_gnutls() {
    let Some(keys) = Keys::new("gnutls-serv", "gnutls-serv") else { return };
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Command::new("gnutls-serv")
        .args(keys.arguments())
        .args(["--echo", "--require-client-cert", "-p", &free.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(Other)
        .unwrap();
    let mut attempts = 0;
    let stream = loop {
        match TcpStream::connect(("127.0.0.1", free)) {
            Ok(stream) => break stream,
            Err(error) => assert!(attempts < 600, "{error}"),
        }
        attempts += 1;
        std::thread::park_timeout(Duration::from_millis(100));
    };
    let end = End::new(identity(1).dial(keys.identity.key(), rng(2)));
    let mut ours = Connection::new(stream, end);
    ours.until("proof", |end| end.layer.peer().is_some());
    // Its tickets come with the echo, and mean nothing to us.
    ours.say("echo this\n");
    ours.hear("echo this");
    let long = format!("{}\n", "x".repeat(900));
    ours.say(&long);
    ours.hear(&long);
    drop(server);
}
