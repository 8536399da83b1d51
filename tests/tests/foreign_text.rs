//! Text from outside on its way to logs, terminals and callers: on one line, printable, cut, and
//! not too much of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use peers_rpc::wire::{
    Bye, ByeCode, CallHead, Exception, Kind, Refused, RefusedCode, limits, method_id, put_frame,
};
use peers_rpc::{ErrorKind, Limits, SyncEndpoint, spawn_loop};
use peers_tests::raw::{Raw, call, greeting};
use peers_tests::trial::TrialProxy;
use peers_tests::victim::Victim;
use std::net::TcpListener;
use std::thread;

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
const FAIL: u64 = method_id("trial.trial.fail(u32)->string");
const RAISE: u64 = method_id("trial.trial.raise(u32)->string");
const PANIC: u64 = method_id("trial.trial.panic(string)->string");

/// Clears the screen, begins a line of its own, turns the text around, rings the bell, and never
/// ends.
const HOSTILE: &str =
    "a\u{1b}[2Jb\r\nERROR: forged\u{202e}c\u{2066}d\u{7}e\u{9b}f\u{2028}g\u{3164}\u{fe0f}h";

/// Returns whether a line may be shown on a terminal as it is.
fn is_printable(line: &str) -> bool {
    !line.contains(peers_wire::is_invisible)
}

/// A goodbye with more text than this library would write.
fn bye(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_frame(&mut bytes, u32::MAX, Kind::Bye, 0, 0, |w| {
        w.structure(|w| {
            let mut plain = Vec::new();
            Bye { code: ByeCode::Protocol, text: "" }.put(&mut plain);
            w.put(&plain[20..22]); // the code, as it is written
            w.write(text);
        });
    })
    .unwrap();
    bytes
}

#[test]
fn hostile_text_stays_on_its_line_of_the_log() {
    let victim = Victim::start(VICTIM);
    let long = HOSTILE.repeat((1 << 20) / HOSTILE.len());
    for text in [HOSTILE, &long] {
        let mut raw = victim.greeted();
        raw.send(&bye(text));
        raw.drain();
        let mut raw = victim.greeted();
        raw.send(&call(1, PANIC, &(text,)));
        assert_eq!(raw.answer_to(1).kind, Kind::Refused);
    }
    victim.assert_well();
    let log = victim.log();
    assert_eq!(log.split('\n').filter(|line| !line.is_empty()).count(), 4, "{log}");
    for line in log.split('\n') {
        assert!(is_printable(line), "{line:?}");
        assert!(line.len() <= 2_048, "{} bytes in one line", line.len());
        assert!(line.is_empty() || line.starts_with('['), "{line:?}");
    }
    let goodbyes: Vec<&str> = log.lines().filter(|line| line.contains("said goodbye")).collect();
    assert_eq!(goodbyes.len(), 2);
    let field = Limits::default().log_field;
    let words = |line: &str| line.split("said goodbye: ").nth(1).unwrap_or_default().len();
    assert!(goodbyes.iter().all(|line| words(line) <= 4 * field), "{goodbyes:?}");
}

#[test]
fn two_thousand_offences_are_some_lines_in_the_log() {
    let victim = Victim::start(VICTIM);
    for _ in 0..2_000 {
        let mut raw = victim.raw();
        raw.send(b"GET / HTTP/1.1\r\n\r\n");
        raw.drain();
    }
    victim.assert_well();
    let lines = victim.log().lines().count();
    assert!((1..400).contains(&lines), "{lines} lines about 2000 offences");
}

/// A hostile server: what it raises, refuses and says at the end is printed by the client's
/// program.
#[test]
fn a_hostile_servers_words_are_spelled_out_in_errors() {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("inet:localhost:{}", door.local_addr().unwrap().port());
    let server = thread::spawn(move || {
        let mut raw = Raw::over(door.accept().unwrap().0);
        raw.send(&greeting());
        raw.read_greeting();
        for answer in 0..3 {
            let call = raw.read().unwrap().call;
            let mut bytes = Vec::new();
            match answer {
                0 => Exception {
                    class: HOSTILE,
                    origin: HOSTILE,
                    file: HOSTILE,
                    line: 7,
                    text: HOSTILE,
                    data: b"",
                }
                .put(&mut bytes, u32::MAX, call)
                .unwrap(),
                1 => Refused { code: RefusedCode::Failed, text: HOSTILE }.put(&mut bytes, call),
                _ => bytes = bye(HOSTILE),
            }
            raw.send(&bytes);
        }
        raw.drain();
    });
    let client = spawn_loop().unwrap();
    let node: TrialProxy<SyncEndpoint> = TrialProxy::new(client.connect(&address).unwrap());
    for _ in 0..3 {
        let error = node.echo("?").wait().unwrap_err();
        let shown = error.to_string();
        assert!(is_printable(&shown), "{shown:?}");
        assert!(shown.contains("\\u{1b}[2J") && shown.contains("\\u{202e}"), "{shown}");
        assert!(is_printable(&format!("{error:?}")));
    }
    server.join().unwrap();
}

#[test]
fn error_texts_are_cut_and_declared_data_comes_whole() {
    let victim = Victim::start(VICTIM);
    let mut raw = victim.greeted();
    raw.send(&call(1, FAIL, &(10_u32 << 20,)));
    let said = raw.answer_to(1);
    assert_eq!(said.kind, Kind::Refused);
    assert!(said.body.len() <= limits::TEXT + 64, "{} bytes", said.body.len());

    raw.send(&call(2, RAISE, &(1_u32 << 20,)));
    let said = raw.answer_to(2);
    let exception = Exception::decode(&said.body).unwrap();
    assert!(exception.text.len() <= limits::TEXT, "{} bytes", exception.text.len());
    assert!(exception.data.len() > 1 << 20, "what was declared comes whole");

    raw.send(&call(3, RAISE, &(10_u32 << 20,)));
    let said = raw.answer_to(3);
    let refused = Refused::decode(&said.body).unwrap();
    assert_eq!(refused.code, RefusedCode::Failed, "it does not fit a frame: {}", refused.text);
    raw.echo(4, "still there");
    assert_eq!(raw.reply_to(4), "still there");
    victim.assert_well();
}

#[test]
fn a_panics_text_goes_to_the_log_and_not_to_the_caller() {
    let victim = Victim::start(VICTIM);
    let error = victim.honest().panic("swordfish").wait().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Panicked);
    let shown = format!("{error} {error:?}");
    for secret in ["swordfish", "/etc/secrets", "src/", ".rs"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(victim.log().contains("/etc/secrets"), "it is for the log");

    let error = victim.honest().raise(3).wait().unwrap_err();
    let ErrorKind::Raised(raised) = error.kind() else { panic!("{error}") };
    assert_eq!((raised.class.as_str(), raised.file.as_str()), ("trial.too_bad", "trial.rs"));

    let mut raw = victim.greeted();
    raw.send(&call(1, FAIL, &("no number at all",)));
    let said = raw.answer_to(1);
    let refused = Refused::decode(&said.body).unwrap();
    assert_eq!(refused.code, RefusedCode::BadArguments);
    assert!(!refused.text.contains('/') && refused.text.len() < 200, "{}", refused.text);
    assert_eq!(CallHead::new(FAIL).method, FAIL);
}
