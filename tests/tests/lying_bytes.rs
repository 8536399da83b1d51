//! Bytes that lie: lengths, counts, depths, numbers, kinds and ids that no honest process sends,
//! over real sockets. The victim stays well, pays nothing, and says why it closed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use peers_rpc::wire::{
    ByeCode, CallHead, Cancel, Credit, Encode, Encoded, HEADER, Hello, Kind, NodeId, PREAMBLE,
    Ping, Refused, RefusedCode, Trace, Value, Writer, method_id, put_call, put_reply,
};
use peers_rpc::{ErrorKind, Kernel, Rpc, SyncEndpoint, spawn_loop};
use peers_tests::raw::{ECHO, HOLD, NOTE, Raw, Said, call, event, frame, greeting};
use peers_tests::trial::{Trial, TrialProxy};
use peers_tests::victim::Victim;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
const MIB: u64 = 1 << 20;

const SUM: u64 = method_id("trial.trial.sum(list<i64>)->i64");
const COUNT: u64 = method_id("trial.trial.count(value)->u32");
const BOUNCE: u64 = method_id("trial.trial.bounce()->u16");
const CALL: u8 = Kind::Call.number();

/// Bytes that are sent as they are.
struct Lies<'a>(&'a [u8]);

impl Encode for Lies<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        Encoded(self.0).encode(w);
    }
}

fn refusal(said: &Said) -> (RefusedCode, String) {
    assert_eq!(said.kind, Kind::Refused, "{said:?}");
    let refused = Refused::decode(&said.body).unwrap();
    (refused.code, refused.text.to_owned())
}

#[test]
fn a_length_of_four_gigabytes_is_refused_at_its_header() {
    let victim = Victim::start(VICTIM);
    let mut liars: Vec<Raw> = (0..1_000).map(|_| victim.greeted()).collect();
    let before = victim.memory();
    for raw in &mut liars {
        raw.send(&frame(u32::MAX, CALL, 0, 1, b"ten bytes."));
    }
    for raw in &mut liars {
        assert_eq!(raw.bye(), Some(ByeCode::FrameTooLarge));
    }
    let grown = victim.memory().saturating_sub(before);
    assert!(grown <= 8 * MIB, "{grown} bytes for a thousand lies");
    let mut early = victim.raw();
    early.send(&PREAMBLE);
    early.send(&frame(4_097, Kind::Hello.number(), 0, 0, b""));
    assert_eq!(early.bye_after_greeting(), Some(ByeCode::FrameTooLarge), "4 KiB before the hello");
    victim.assert_well();
}

#[test]
fn a_body_that_never_comes_costs_what_has_come() {
    let victim = Victim::start(VICTIM);
    let mut liars: Vec<Raw> = (0..1_000).map(|_| victim.greeted()).collect();
    let before = victim.memory();
    for raw in &mut liars {
        let mut bytes = Vec::new();
        Ping { number: 7 }.put(&mut bytes);
        bytes.extend(frame(1 << 20, CALL, 0, 1, b"ten bytes."));
        raw.send(&bytes);
    }
    for raw in &mut liars {
        let pong = raw.read().map(|said| said.kind);
        assert_eq!(pong, Some(Kind::Pong), "it has read what there is");
    }
    let grown = victim.memory().saturating_sub(before);
    assert!(grown <= 4 * MIB, "{grown} bytes for promises of a gigabyte");
    victim.assert_well();
}

#[test]
fn counts_beyond_the_bytes_are_refused_and_cost_nothing() {
    let victim = Victim::start(VICTIM);
    let before = victim.memory();
    let mut raw = victim.greeted();
    let nulls = |count: u32, bytes: usize| {
        [&[7][..], &count.to_be_bytes(), &vec![0; bytes]].concat() // a self-describing list
    };
    let lies = [
        (SUM, [&u32::MAX.to_be_bytes()[..], &[0; 16]].concat()),
        (SUM, [&3_u32.to_be_bytes()[..], &[0; 16]].concat()),
        (ECHO, [&u32::MAX.to_be_bytes()[..], &[b'x'; 16]].concat()),
        (COUNT, nulls(u32::MAX, 15)),
        (COUNT, nulls(100_000, 100_000)), // there they are, but more than a frame may hold
    ];
    for (id, (method, lie)) in (1..).zip(lies) {
        raw.send(&call(id, method, &Lies(&lie)));
        let (code, text) = refusal(&raw.answer_to(id));
        assert_eq!(code, RefusedCode::BadArguments, "{text}");
    }
    raw.send(&call(9, COUNT, &(Value::List(vec![Value::Null; 60_000]),)));
    assert_eq!(raw.answer_to(9).body, 60_000_u32.to_be_bytes(), "as many as are allowed");
    let grown = victim.memory().saturating_sub(before);
    assert!(grown <= 16 * MIB, "{grown} bytes");
    victim.assert_well();
}

/// A server on a thread with a stack of 256 KiB.
fn with_a_small_stack(attack: impl FnOnce(Raw)) {
    let (tell, told) = std::sync::mpsc::channel();
    let server = thread::Builder::new().stack_size(256 << 10).spawn(move || {
        let mut kernel = Kernel::new().unwrap();
        kernel.set_strict(true);
        let rpc = Rpc::new(&kernel.handle());
        let address = "inet:localhost:0".parse().unwrap();
        let served = Trial::serve(&kernel, &rpc, &address).unwrap();
        tell.send((served.0.address(), kernel.remote())).unwrap();
        kernel.run().unwrap();
    });
    let (address, remote) = told.recv().unwrap();
    attack(Raw::greeted(&address));
    remote.post(|handle| handle.stop()).unwrap();
    server.unwrap().join().unwrap();
}

#[test]
fn nesting_without_end_is_refused_on_a_small_stack() {
    with_a_small_stack(|mut raw| {
        let deep = [7, 0, 0, 0, 1].repeat(800_000);
        raw.send(&call(1, COUNT, &Lies(&deep)));
        let (code, text) = refusal(&raw.answer_to(1));
        assert_eq!(code, RefusedCode::BadArguments);
        assert!(text.contains("deep"), "{text}");
        let allowed = (0..60).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        raw.send(&call(2, COUNT, &(allowed,)));
        assert_eq!(raw.answer_to(2).body, 1_u32.to_be_bytes());
    });
}

#[test]
fn numbers_at_their_ends_are_served_or_refused() {
    let victim = Victim::start(VICTIM);
    for id in [0, 1, u64::MAX - 1, u64::MAX] {
        for remaining_ms in [0, 30_000, u32::MAX - 1, u32::MAX] {
            for depth in [0, 1, 64, 65, u16::MAX - 1, u16::MAX] {
                for ends in [None, Some(0), Some(u64::MAX)] {
                    let trace = ends.map(|end| Trace { root: end, parent: end });
                    let head = CallHead { method: ECHO, remaining_ms, depth, trace };
                    let mut bytes = Vec::new();
                    put_call(&mut bytes, u32::MAX, id, &head, &("x",)).unwrap();
                    assert_numbers(victim.greeted(), &bytes, id, depth);
                }
            }
        }
    }
    for method in [0, 1, u64::MAX - 1, u64::MAX] {
        let mut raw = victim.greeted();
        raw.send(&call(1, method, &("x",)));
        assert_eq!(refusal(&raw.answer_to(1)).0, RefusedCode::UnknownMethod);
    }
    let mut raw = victim.greeted();
    for amount in [0, 1, u32::MAX - 1, u32::MAX, u32::MAX] {
        let mut credit = Vec::new();
        Credit { amount }.put(&mut credit);
        raw.send(&credit);
        raw.echo(1, "x");
        assert_eq!(raw.reply_to(1), "x", "a credit of {amount}");
    }
    victim.assert_well();
}

#[track_caller]
fn assert_numbers(mut raw: Raw, bytes: &[u8], id: u64, depth: u16) {
    raw.send(bytes);
    if depth > 64 {
        assert_eq!(refusal(&raw.answer_to(id)).0, RefusedCode::TooDeep);
    } else {
        assert_eq!(raw.reply_to(id), "x");
    }
}

#[test]
fn numbers_of_a_hello_at_their_ends_are_kept_or_end_it() {
    let victim = Victim::start(VICTIM);
    for window in [0, 1, u32::MAX - 1, u32::MAX] {
        for max_frame in [0, 1, 4_095, 4_096, u32::MAX - 1, u32::MAX] {
            let mut raw = victim.raw();
            let mut hello = PREAMBLE.to_vec();
            let node = NodeId::from_bits(u128::MAX);
            Hello { max_frame, window, ..Hello::new(node) }.put(&mut hello);
            raw.send(&hello);
            raw.read_greeting();
            raw.echo(1, "x");
            if max_frame < 4_096 {
                assert_eq!(raw.bye(), Some(ByeCode::Protocol));
                continue;
            }
            assert_eq!(raw.reply_to(1), "x");
            raw.send(&call(2, BOUNCE, &())); // it may call back, or has no credit for it
            let mut cancel = Vec::new();
            Cancel { call: 2 }.put(&mut cancel);
            raw.send(&cancel);
            assert_eq!(refusal(&raw.answer_to(2)).0, RefusedCode::Cancelled);
        }
    }
    victim.assert_well();
}

#[test]
fn every_kind_in_every_state_is_skipped_or_ends_the_connection() {
    let victim = Victim::start(VICTIM);
    for kind in 0..=u8::MAX {
        let empty = frame(0, kind, 0, 0, b"");
        let mut opening = victim.raw();
        opening.send(&[&PREAMBLE[..], &empty].concat());
        assert!(opening.bye_after_greeting().is_some(), "kind {kind} is no hello");

        let harmless = matches!(kind, 129..) || [7, 9, 10].contains(&kind); // cancel, ping, pong
        let mut busy = victim.greeted();
        busy.send(&call(1, HOLD, &("x",)));
        for mut raw in [victim.greeted(), busy] {
            raw.send(&empty);
            raw.echo(2, "still there");
            match harmless {
                true => assert_eq!(raw.reply_to(2), "still there", "kind {kind}"),
                false if kind == Kind::Bye.number() => {
                    assert_eq!(raw.bye(), Some(ByeCode::Protocol))
                }
                false => assert_eq!(raw.bye(), Some(ByeCode::Protocol), "kind {kind}"),
            }
        }
    }
    victim.assert_well();
}

#[test]
fn unknown_flags_and_versions_end_the_connection() {
    let victim = Victim::start(VICTIM);
    for kind in (1..12).chain([Kind::HalfClose.number()]) {
        for flags in [2, 4, 0x80, 0xff] {
            let mut raw = victim.greeted();
            raw.send(&frame(40, kind, flags, 0, &[0; 40]));
            assert_eq!(raw.bye(), Some(ByeCode::Protocol), "flags {flags} of kind {kind}");
        }
    }
    for version in [0, 2, u16::MAX] {
        let mut raw = victim.raw();
        raw.send(&[&PREAMBLE[..6], &version.to_be_bytes()].concat());
        raw.drain();
    }
    victim.assert_well();
}

/// A lively session, as its client sends it. The victim calls back because of it.
fn session() -> Vec<u8> {
    let mut bytes = greeting();
    bytes.extend(call(1, ECHO, &("first",)));
    bytes.extend(event(NOTE, &("second",)));
    bytes.extend(call(2, BOUNCE, &()));
    bytes.extend(call(3, BOUNCE, &()));
    Ping { number: 4 }.put(&mut bytes);
    Cancel { call: 2 }.put(&mut bytes);
    bytes.extend(call(5, SUM, &(vec![1_i64, 2, 3],)));
    bytes.extend(call(6, 0xdead, &()));
    bytes
}

#[test]
fn a_session_cut_at_any_byte_ends_and_leaves_nothing() {
    let victim = Victim::start(VICTIM);
    let bytes = session();
    let sweep = || {
        for cut in 0..=bytes.len() {
            for reset in [false, true] {
                let mut raw = victim.raw();
                raw.send(&bytes[..cut]);
                if reset {
                    let socket = socket2::SockRef::from(raw.socket());
                    socket.set_linger(Some(Duration::ZERO)).unwrap();
                } else {
                    raw.hang_up();
                    raw.drain(); // it ends by itself, however the session was cut
                }
            }
        }
    };
    sweep();
    victim.assert_well();
    let before = victim.memory();
    sweep();
    victim.assert_well();
    let grown = victim.memory().saturating_sub(before);
    assert!(grown <= MIB, "{grown} bytes kept of {} cut sessions", 2 * bytes.len());
}

/// The other direction: a server that is cut off in the middle of its answers.
#[test]
fn calls_whose_answers_are_cut_off_fail_as_disconnected() {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("inet:localhost:{}", door.local_addr().unwrap().port());
    let mut answers = greeting();
    for counter in 1..=3_u64 {
        put_reply(&mut answers, u32::MAX, counter << 24 | (counter - 1), &"answer").unwrap();
    }
    let count = answers.len();
    let reply = HEADER + 4 + "answer".len();
    let server = thread::spawn(move || {
        for cut in 0..=count {
            let mut raw = Raw::over(door.accept().unwrap().0);
            let asked = greeting().len() + 3 * call(0, ECHO, &("?",)).len();
            raw.read_exactly(asked);
            raw.send(&answers[..cut]);
        }
    });
    let client = spawn_loop().unwrap();
    for cut in 0..=count {
        let node: TrialProxy<SyncEndpoint> = TrialProxy::new(client.connect(&address).unwrap());
        let outcomes: Vec<_> = thread::scope(|scope| {
            let ask = |_| scope.spawn(|| node.echo("?").wait());
            let asking: Vec<_> = (0..3).map(ask).collect();
            asking.into_iter().map(|asker| asker.join().unwrap()).collect()
        });
        let answered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(answered, (3 * reply).saturating_sub(count - cut) / reply, "cut at {cut}");
        for error in outcomes.into_iter().filter_map(Result::err) {
            assert!(matches!(error.kind(), ErrorKind::Disconnected(_)), "{error}");
        }
    }
    server.join().unwrap();
}

/// Returns what a conversation comes to: answers in order, and how much credit came back. A pong
/// may overtake answers.
fn transcript(victim: &Victim, segments: impl Iterator<Item = Vec<u8>>) -> (Vec<Said>, u32) {
    let mut raw = victim.raw();
    segments.for_each(|segment| raw.send(&segment));
    raw.finish();
    raw.read_greeting();
    let mut said = raw.rest();
    let credit = |said: &Said| Credit::decode(&said.body).unwrap().amount;
    let credits = said.iter().filter(|said| said.kind == Kind::Credit).map(credit).sum();
    assert_eq!(said.iter().filter(|said| said.kind == Kind::Pong).count(), 1);
    said.retain(|said| !matches!(said.kind, Kind::Credit | Kind::Pong | Kind::Bye));
    (said, credits)
}

#[test]
fn segments_of_any_size_come_to_the_same_answers() {
    let victim = Victim::start(VICTIM);
    let mut bytes = greeting();
    for id in 1..=20 {
        bytes.extend(call(id, ECHO, &("the same",)));
        bytes.extend(event(NOTE, &("the same",)));
    }
    Ping { number: 21 }.put(&mut bytes);
    bytes.extend(frame(3, 200, 9, 4, b"???"));
    bytes.extend(call(22, 0xdead, &()));
    let whole = transcript(&victim, std::iter::once(bytes.clone()));
    assert_eq!((whole.0.len(), whole.1), (21, 20), "{whole:?}");
    for size in [1, 2, 3, 7, 8, 15, 16, 17, 100] {
        let segments = bytes.chunks(size).map(<[u8]>::to_vec);
        assert_eq!(transcript(&victim, segments), whole, "segments of {size}");
    }
    let many: Vec<_> =
        (0..50).map(|_| transcript(&victim, std::iter::once(bytes.clone()))).collect();
    assert!(many.iter().all(|one| *one == whole));
}
