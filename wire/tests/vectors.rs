//! The test vectors under `docs/vectors`: each is read, compared with what it claims to be, and
//! written again. Bytes that change here change the protocol.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use common::{Link, Point, Shape, Vector, folder, vector, vectors};
use peers_wire::{
    Bye, ByeCode, CallHead, Cancel, Credit, Decode, Deframer, Encode, Error, Exception, Frame,
    HEADER, HalfClose, Header, Hello, Kind, Message, NodeId, PREAMBLE, Ping, Pong, PreambleReader,
    Refused, RefusedCode, Trace, Value, from_slice, limits, method_id, put_call, put_event,
    put_frame, put_header, put_reply, put_request, to_vec,
};

const GET: u64 = method_id("registry.node.get(string)->string");
const PUT: u64 = method_id("registry.node.put(string,string)->()");
const NODE: NodeId = NodeId::from_bits(0x75_d49e_9576_79a9_f338_365d_b6c6_1b1c);

/// Reads a stream that is one frame.
fn one_frame<'a>(deframer: &'a mut Deframer, bytes: &'a [u8]) -> Result<Frame<'a>, Error> {
    let mut input = bytes;
    let frame = deframer.next(&mut input)?.expect("a whole frame");
    assert!(input.is_empty(), "nothing behind it");
    Ok(frame)
}

fn read_frame(bytes: &[u8]) -> Result<(), Error> {
    let mut deframer = Deframer::new(limits::FRAME);
    Message::decode(&one_frame(&mut deframer, bytes)?).map(|_| ())
}

fn read_preamble(bytes: &[u8]) -> Result<(), Error> {
    let mut input = bytes;
    assert!(PreambleReader::new().read(&mut input)?);
    assert!(input.is_empty());
    Ok(())
}

/// Reads and writes `name` as a `T`.
fn same<T: for<'a> Decode<'a> + Encode + Debug + PartialEq>(name: &str, expected: &T) {
    let vector = vector(name);
    assert_eq!(from_slice::<T>(&vector.bytes).as_ref(), Ok(expected), "{name}");
    assert_eq!(to_vec(expected).as_ref(), Ok(&vector.bytes), "{name}");
}

fn written(name: &str, put: impl FnOnce(&mut Vec<u8>)) {
    let mut out = Vec::new();
    put(&mut out);
    assert_eq!(out, vector(name).bytes, "{name}");
}

fn put_get(out: &mut Vec<u8>) {
    let head = CallHead { remaining_ms: 30_000, depth: 2, ..CallHead::new(GET) };
    put_call(out, limits::FRAME, 0x100, &head, &("arrakis",)).unwrap();
}

fn put_put(out: &mut Vec<u8>) {
    put_event(out, limits::FRAME, &CallHead::new(PUT), &("arrakis", "dune")).unwrap();
}

const BYE: Bye<'_> = Bye { code: ByeCode::Idle, text: "unused for 5 min" };

#[test]
fn each_frame_is_written_as_its_vector() {
    written("preamble", |out| out.extend(PREAMBLE));
    written("frame-hello", |out| Hello::new(NODE).put(out));
    written("frame-call", put_get);
    written("frame-call-traced", |out| {
        let trace = Some(Trace { root: 0xa1, parent: 0xb2 });
        let head = CallHead { depth: 2, trace, ..CallHead::new(GET) };
        put_call(out, limits::FRAME, u64::MAX, &head, &("arrakis",)).unwrap();
    });
    written("frame-event", put_put);
    written("frame-reply", |out| put_reply(out, limits::FRAME, 0x100, "dune").unwrap());
    written("frame-reply-unit", |out| put_reply(out, limits::FRAME, 7, &()).unwrap());
    written("frame-exception", |out| exception().put(out, limits::FRAME, 0x101).unwrap());
    written("frame-refused", |out| {
        Refused { code: RefusedCode::Overloaded, text: "queue is full" }.put(out, 0x102);
    });
    written("frame-cancel", |out| Cancel { call: 0x100 }.put(out));
    written("frame-half-close", |out| HalfClose.put(out));
    written("frame-credit", |out| Credit { amount: 32 }.put(out));
    written("frame-ping", |out| Ping { number: 42 }.put(out));
    written("frame-pong", |out| Pong { number: 42 }.put(out));
    written("frame-bye", |out| BYE.put(out));
}

#[test]
fn each_session_is_written_as_its_vector() {
    written("session-dialler", |out| {
        out.extend(PREAMBLE);
        Hello::new(NODE).put(out);
        put_get(out);
        put_put(out);
        BYE.put(out);
    });
    written("session-listener", |out| {
        out.extend(PREAMBLE);
        Hello::new(NodeId::from_bits(0x1d)).put(out);
        put_reply(out, limits::FRAME, 0x100, "dune").unwrap();
        Credit { amount: 2 }.put(out);
        BYE.put(out);
    });
}

const EXCEPTION_DATA: &[u8] = b"\x00\x00\x00\x0c\x00\x00\x00\x08Muad'Dib";

const fn exception() -> Exception<'static> {
    Exception {
        class: "registry.no_such_key",
        origin: "{{{AF_INET:127.0.0.1:5000}}}",
        file: "node.rs",
        line: 36,
        text: "Muad'Dib",
        data: EXCEPTION_DATA,
    }
}

/// Each frame, read and written again from what was read alone.
#[test]
fn each_frame_survives_reading_and_writing() {
    let mut count = 0;
    for vector in vectors().iter().filter(|vector| vector.kind == "frame") {
        if vector.error.is_some() {
            continue;
        }
        let mut deframer = Deframer::new(limits::FRAME);
        let frame = one_frame(&mut deframer, &vector.bytes).expect(&vector.name);
        assert_eq!(rewrite(&frame), vector.bytes, "{}", vector.name);
        count += 1;
    }
    assert_eq!(count, 14);
}

fn rewrite(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let max = limits::FRAME;
    match Message::decode(frame).expect("a good vector") {
        Message::Hello(hello) => hello.put(&mut out),
        Message::Call { call, head, mut args } => {
            let (key,): (&str,) = args.read().unwrap();
            put_call(&mut out, max, call, &head, &(key,)).unwrap();
        }
        Message::Event { head, mut args } => {
            let pair: (&str, &str) = args.read().unwrap();
            put_event(&mut out, max, &head, &pair).unwrap();
        }
        Message::Reply { call, mut value } if value.is_empty() => {
            put_reply(&mut out, max, call, &value.read::<()>().unwrap()).unwrap();
        }
        Message::Reply { call, mut value } => {
            put_reply(&mut out, max, call, value.str().unwrap()).unwrap();
        }
        Message::Exception { call, exception } => exception.put(&mut out, max, call).unwrap(),
        Message::Refused { call, refused } => refused.put(&mut out, call),
        Message::Cancel(cancel) => cancel.put(&mut out),
        Message::Credit(credit) => credit.put(&mut out),
        Message::Ping(ping) => ping.put(&mut out),
        Message::Pong(pong) => pong.put(&mut out),
        Message::Bye(bye) => bye.put(&mut out),
        Message::HalfClose(last) => last.put(&mut out),
        Message::Ignorable => panic!("has no writer"),
    }
    out
}

#[test]
fn frames_of_later_versions_are_read_as_far_as_known() {
    let mut deframer = Deframer::new(limits::FRAME);
    let later = vector("frame-hello-later");
    let frame = one_frame(&mut deframer, &later.bytes).unwrap();
    assert_eq!(Hello::decode(frame.body), Ok(Hello::new(NODE)));

    let mut deframer = Deframer::new(limits::FRAME);
    let ignorable = vector("frame-ignorable");
    let frame = one_frame(&mut deframer, &ignorable.bytes).unwrap();
    assert_eq!((frame.kind, frame.flags, frame.call), (Kind::Ignorable(200), 0x80, 9));
    assert!(matches!(Message::decode(&frame), Ok(Message::Ignorable)));
}

/// Puts so many bytes more into the structure that a body is.
fn longer(body: &[u8], more: usize) -> Vec<u8> {
    let (length, fields) = body.split_first_chunk::<4>().unwrap();
    let length = u32::from_be_bytes(*length) + u32::try_from(more).unwrap();
    [&length.to_be_bytes(), fields, &vec![0xab; more]].concat()
}

#[test]
fn outcomes_of_later_versions_are_read_as_far_as_known() {
    let (mut refusal, mut goodbye, mut raised) = (Vec::new(), Vec::new(), Vec::new());
    let refused = Refused { code: RefusedCode::Other(999), text: "later" };
    refused.put(&mut refusal, 7);
    let bye = Bye { code: ByeCode::Other(999), text: "later" };
    bye.put(&mut goodbye);
    let exception =
        Exception { class: "a.b", origin: "o", file: "f", line: 1, text: "t", data: &[1, 2] };
    exception.put(&mut raised, limits::FRAME, 7).unwrap();
    for more in [0, 1, 40] {
        assert_eq!(Refused::decode(&longer(&refusal[HEADER..], more)), Ok(refused));
        assert_eq!(Bye::decode(&longer(&goodbye[HEADER..], more)), Ok(bye));
        assert_eq!(Exception::decode(&longer(&raised[HEADER..], more)), Ok(exception));
    }
}

#[test]
fn each_type_has_one_spelling() {
    same("type-bool", &(false, true));
    same("type-integers", &(-1i8, -2i16, -3i32, -4i64, 5u8, 6u16, 7u32, 8u64));
    same("type-floats", &(1.5f32, -0.1f64));
    same("type-string", &"aé€𝄞".to_owned());
    same("type-bytes", &vec![0u8, 0x7f, 0xff]);
    same("type-list", &vec!["a".to_owned(), String::new()]);
    same("type-list-empty", &Vec::<u32>::new());
    same("type-set", &BTreeSet::from([300u16, 2, 1]));
    same("type-map", &BTreeMap::from([("b".to_owned(), 2u32), ("a".to_owned(), 1)]));
    same("type-option", &(None::<u16>, Some(7u16)));
    same("type-tuple", &(1u8, "x".to_owned()));
    same("type-unit", &());
    same("type-struct", &Point { x: 3, y: -3, label: Some("p".to_owned()) });
    same("type-enum", &(Shape::Dot, Shape::Circle { radius: 5 }));
    let link = |next| Link { number: 7, next };
    same("type-depth", &(0..64).fold(link(None), |inner, _| link(Some(Box::new(inner)))));
}

#[test]
fn structs_of_older_and_newer_peers_are_read() {
    let point = Point { x: 3, y: -3, label: None };
    for name in ["type-struct-older", "type-struct-newer"] {
        assert_eq!(from_slice::<Point>(&vector(name).bytes), Ok(point.clone()), "{name}");
    }
}

#[test]
fn each_value_prints_as_it_says_and_is_written_again() {
    let mut count = 0;
    for vector in vectors().iter().filter(|vector| vector.kind == "value") {
        let Some(shows) = &vector.shows else { continue };
        let value: Value = from_slice(&vector.bytes).expect(&vector.name);
        assert_eq!(value.to_string(), *shows, "{}", vector.name);
        assert_eq!(to_vec(&value).as_ref(), Ok(&vector.bytes), "{}", vector.name);
        count += 1;
    }
    assert_eq!(count, 11);
}

#[test]
fn each_bad_vector_gives_its_error() {
    let mut count = 0;
    for vector in vectors() {
        let Some(expected) = &vector.error else {
            assert!(!vector.name.starts_with("bad-"), "{} names no error", vector.name);
            continue;
        };
        let error = read(&vector).expect_err(&vector.name);
        assert_eq!(error.to_string(), *expected, "{}", vector.name);
        count += 1;
    }
    assert!(count > 20);
}

fn read(vector: &Vector) -> Result<(), Error> {
    fn read_as<T: for<'a> Decode<'a>>(bytes: &[u8]) -> Result<(), Error> {
        from_slice::<T>(bytes).map(|_| ())
    }
    let bytes = &vector.bytes;
    match vector.kind.as_str() {
        "preamble" => read_preamble(bytes),
        "frame" => read_frame(bytes),
        "value" => read_as::<Value>(bytes),
        "type bool" => read_as::<bool>(bytes),
        "type option<u16>" => read_as::<Option<u16>>(bytes),
        "type string" => read_as::<String>(bytes),
        "type list<u64>" => read_as::<Vec<u64>>(bytes),
        "type list<()>" => read_as::<Vec<()>>(bytes),
        "type set<u16>" => read_as::<BTreeSet<u16>>(bytes),
        "type map<string,u32>" => read_as::<BTreeMap<String, u32>>(bytes),
        "type u16" => read_as::<u16>(bytes),
        "type shape" => read_as::<Shape>(bytes),
        "type link" => read_as::<Link>(bytes),
        "type point" => read_as::<Point>(bytes),
        other => panic!("{}: no reader for {other}", vector.name),
    }
}

#[test]
fn method_numbers_are_frozen() {
    let text = std::fs::read_to_string(folder().join("method-ids.txt")).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() >= 5);
    for line in lines {
        let (number, signature) = line.split_once(' ').unwrap();
        assert_eq!(format!("{:016x}", method_id(signature)), number, "{signature}");
    }
}

/// The specification speaks of every vector, and of none that does not exist.
#[test]
fn the_specification_names_each_vector() {
    let path = folder().join("../wire-protocol.md");
    let text = std::fs::read_to_string(path).unwrap();
    let is_name = |word: &&str| {
        let known = ["frame-", "session-", "type-", "value-", "bad-"];
        known.iter().any(|start| word.starts_with(start)) && !word.ends_with('*')
    };
    let mut named: Vec<_> = text.split('`').skip(1).step_by(2).filter(is_name).collect();
    named.push("preamble");
    named.sort_unstable();
    named.dedup();
    let all = vectors();
    let existing: Vec<_> = all.iter().map(|vector| vector.name.as_str()).collect();
    assert_eq!(named, existing);
    assert!(text.contains("`preamble`") && text.contains("method-ids.txt"));
}

/// A head and arguments sent from a chunk of their own are the same bytes as one pass, and as both
/// encoded already.
#[test]
fn a_head_alone_and_its_arguments_make_the_same_frame() {
    let args = to_vec(&("arrakis",)).unwrap();
    let head = CallHead { remaining_ms: 30_000, depth: 2, ..CallHead::new(GET) };
    written("frame-call", |out| {
        put_request(out, Some(0x100), &head, &[], args.len());
        out.extend(&args);
    });
    written("frame-call", |out| put_request(out, Some(0x100), &head, &args, 0));
    written("frame-call", |out| {
        put_call(out, limits::FRAME, 0x100, &head, &peers_wire::Encoded(&args)).unwrap();
    });
    written("frame-reply-unit", |out| {
        put_header(out, Header { length: 0, kind: Kind::Reply, flags: 0, call: 7 });
        assert_eq!(out.len(), HEADER);
    });
    written("frame-credit", |out| {
        put_frame(out, 4, Kind::Credit, 0, 0, |w| w.u32(32)).unwrap();
    });
}
