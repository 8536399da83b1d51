//! Whatever is written can be read, and is what it was: all types, all messages.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use common::{Link, Point, Shape, Tree};
use peers_wire::{
    Bye, ByeCode, CallHead, Decode, Deframer, Encode, Encoded, Error, Exception, Frame, Hello,
    Message, NodeId, Record, Refused, RefusedCode, Trace, Value, append, from_slice, limits,
    put_bytes_reply, put_call, put_event, put_reply, put_request, to_vec,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Runs equal cases each time.
fn check<S: Strategy>(strategy: S, test: impl Fn(S::Value)) {
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    runner
        .run(&strategy, |value| {
            test(value);
            Ok(())
        })
        .unwrap();
}

fn survives<T: for<'a> Decode<'a> + Encode + Debug + PartialEq>(value: &T) {
    let bytes = to_vec(value).unwrap();
    assert!(bytes.len() >= T::MIN_SIZE, "{value:?} is smaller than its type claims");
    let mut behind = vec![7];
    append(&mut behind, value).unwrap();
    assert_eq!((behind[0], &behind[1..]), (7, &bytes[..]));
    assert_eq!(&from_slice::<T>(&bytes).unwrap(), value);
}

fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..20).prop_map(String::from_iter)
}

#[test]
fn numbers() {
    check(any::<(bool, i8, i16, i32, i64)>(), |value| survives(&value));
    check(any::<(u8, u16, u32, u64)>(), |value| survives(&value));
    check(any::<(u32, u64)>(), |(single, double)| {
        let bytes = to_vec(&(f32::from_bits(single), f64::from_bits(double))).unwrap();
        let (a, b): (f32, f64) = from_slice(&bytes).unwrap();
        assert_eq!((a.to_bits(), b.to_bits()), (single, double), "bit for bit, NaNs too");
    });
    for edge in [i64::MIN, -1, 0, 1, i64::MAX] {
        survives(&edge);
        survives(&edge.cast_unsigned());
    }
}

/// More elements than one block of the writer, and more than the capacity hint.
#[test]
fn lists_of_numbers() {
    check((vec(any::<u8>(), 0..3000), vec(any::<i8>(), 0..50)), |value| survives(&value));
    check((vec(any::<u16>(), 0..600), vec(any::<i16>(), 0..600)), |value| survives(&value));
    check((vec(any::<u32>(), 0..600), vec(any::<i32>(), 0..600)), |value| survives(&value));
    check((vec(any::<u64>(), 0..2000), vec(any::<i64>(), 0..600)), |value| survives(&value));
    check((vec(-1e9f32..1e9, 0..600), vec(-1e99f64..1e99, 0..600)), |value| survives(&value));
    check(vec(any::<bool>(), 0..3000), |value| survives(&value));
}

/// A list of numbers is the count and each number, whatever the fast path does: whole blocks and
/// what is left over.
#[test]
fn bulk_lists_are_spelled_like_their_elements() {
    fn spelled<T: Encode + for<'a> Decode<'a> + Debug + PartialEq>(number: impl Fn(u64) -> T) {
        let mut random = common::Numbers(7);
        for count in 0..40u32 {
            let items: Vec<T> = (0..count).map(|_| number(random.next())).collect();
            let mut expected = to_vec(&count).unwrap();
            for item in &items {
                append(&mut expected, item).unwrap();
            }
            assert_eq!(to_vec(&items).unwrap(), expected);
            assert_eq!(from_slice(&expected), Ok(items));
        }
    }
    spelled(|bits| bits.to_be_bytes()[0]);
    spelled(|bits| bits.to_be_bytes()[0].cast_signed());
    spelled(|bits| (bits >> 48) as u16);
    spelled(|bits| (bits >> 48) as i16);
    spelled(|bits| (bits >> 32) as u32);
    spelled(|bits| (bits >> 32) as i32);
    spelled(|bits| bits);
    spelled(u64::cast_signed);
    spelled(|bits| bits as f32);
    spelled(|bits| bits as f64);
}

#[test]
fn texts_and_containers() {
    check((text(), option::of(text()), vec(text(), 0..5)), |value| survives(&value));
    check(btree_set(text(), 0..10), |value: BTreeSet<String>| survives(&value));
    check(btree_map(any::<u16>(), vec(text(), 0..3), 0..10), |value: BTreeMap<_, _>| {
        survives(&value);
    });
    survives(&(0..3_000u32).collect::<BTreeSet<_>>());
    survives(&(0..3_000u32).map(|key| (key, key.to_string())).collect::<BTreeMap<_, _>>());
    check(option::of(option::of(any::<u32>())), |value| survives(&value));
    check(any::<u32>().prop_map(Box::new), |value| survives(&value));
    survives(&vec![(); 1000]);
    survives(&());
}

/// Whoever writes a set or map need not sort it, and may name a key twice: then the second one is
/// reported, wherever it stands.
#[test]
fn trees_are_read_in_any_order() {
    check((0..60u8, vec(any::<u8>(), 0..8)), |(ascending, more)| {
        let keys: Vec<_> = (0..ascending).chain(more).collect();
        let mut seen = BTreeSet::new();
        let repeated = keys.iter().position(|key| !seen.insert(*key));
        let expected = |size: usize| match repeated {
            Some(at) => Err(Error::Duplicate { offset: 4 + at * size }),
            None => Ok(()),
        };
        let set = from_slice::<BTreeSet<u8>>(&to_vec(&keys).unwrap());
        assert_eq!(set.clone().map(|_| ()), expected(1));
        let pairs: Vec<_> = keys.iter().map(|key| (*key, u16::from(*key) + 1)).collect();
        let map = from_slice::<BTreeMap<u8, u16>>(&to_vec(&pairs).unwrap());
        assert_eq!(map.clone().map(|_| ()), expected(3));
        if repeated.is_none() {
            assert_eq!((set, map), (Ok(seen), Ok(pairs.into_iter().collect())));
        }
    });
}

#[test]
fn borrowed_texts_and_bytes_are_the_input() {
    let bytes = to_vec(&("dune", [1u8, 2].as_slice())).unwrap();
    let (text, run): (&str, &[u8]) = from_slice(&bytes).unwrap();
    assert_eq!((text, run), ("dune", [1u8, 2].as_slice()));
    assert!(bytes.as_ptr_range().contains(&text.as_ptr()), "not a copy");
    assert!(bytes.as_ptr_range().contains(&run.as_ptr()), "not a copy");
}

#[test]
fn tuples_up_to_twelve() {
    survives(&(1u8,));
    survives(&(1u8, 2u16, 3u32, 4u64, 5i8, 6i16, 7i32, 8i64, true, 'x'.to_string(), (), Some(9u8)));
}

#[test]
fn structs_and_enums() {
    let point = (any::<i32>(), any::<i32>(), option::of(text()));
    check(point, |(x, y, label)| survives(&Point { x, y, label }));
    let shape = prop_oneof![
        Just(Shape::Dot),
        any::<u32>().prop_map(|radius| Shape::Circle { radius }),
        text().prop_map(|name| Shape::Named { name }),
    ];
    check(vec(shape, 0..5), |value| survives(&value));
    let leaf = text().prop_map(|name| Tree { name, children: Vec::new() });
    let tree = leaf.prop_recursive(5, 50, 4, |inner| {
        (text(), vec(inner, 0..4)).prop_map(|(name, children)| Tree { name, children })
    });
    check(tree, |value| survives(&value));
    let chain = (0..64).fold(None, |next, number| Some(Box::new(Link { number, next })));
    survives(&*chain.unwrap());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300f64..1e300).prop_map(Value::from),
        text().prop_map(Value::from),
        vec(any::<u8>(), 0..20).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((inner.clone(), inner.clone()), 0..4).prop_map(Value::from),
            (text(), vec((text(), inner), 0..4))
                .prop_map(|(name, fields)| Value::from(Record { name, fields })),
        ]
    })
}

#[test]
fn values() {
    check(value(), |value| {
        survives(&value);
        let printed = value.to_string();
        assert!(!printed.contains(char::is_control), "{printed:?}");
    });
}

#[test]
fn values_tell_what_they_are() {
    assert_eq!(Value::from(-1).as_i64(), Some(-1));
    assert_eq!(Value::from(-1).as_u64(), None);
    assert_eq!(Value::from(7u64).as_i64(), Some(7));
    assert_eq!(Value::from(u64::MAX).as_i64(), None);
    assert_eq!(Value::from(u64::MAX).as_u64(), Some(u64::MAX));
    assert_eq!(Value::from(0.5).as_f64(), Some(0.5));
    assert_eq!(Value::from(true).as_bool(), Some(true));
    assert_eq!(Value::from("dune").as_str(), Some("dune"));
    assert_eq!(Value::from(&b"ab"[..]).as_bytes(), Some(&b"ab"[..]));
    assert!(Value::from(None::<u8>).is_null() && Value::from(()).is_null());
    assert_eq!(Value::from(Some(1u8)), Value::Uint(1));
    let list: Value = [Value::Null].into_iter().collect();
    assert_eq!(list.as_list(), Some(&[Value::Null][..]));
    let map = Value::from(vec![(Value::from("a"), Value::from(1)), (Value::Null, Value::Null)]);
    assert_eq!(map.get("a"), Some(&Value::Int(1)));
    assert_eq!(map.as_map().map(<[_]>::len), Some(2));
    let fields = vec![("x".to_owned(), Value::from(3))];
    let record = Value::from(Record { name: "point".to_owned(), fields });
    assert_eq!((record.get("x"), record.get("y")), (Some(&Value::Int(3)), None));
    assert_eq!(record.as_record().map(|record| record.name.as_str()), Some("point"));
    let odd = Record { name: "a b\n".to_owned(), fields: Vec::new() };
    assert_eq!(odd.to_string(), r#""a b\n"()"#);
}

/// Reads the only frame of `out` and gives it to `test`.
fn with_frame(out: &[u8], test: impl FnOnce(&Frame<'_>)) {
    let mut input = out;
    let mut deframer = Deframer::new(limits::FRAME);
    let frame = deframer.next(&mut input).unwrap().unwrap();
    test(&frame);
    assert!(input.is_empty());
}

#[test]
fn requests_and_replies() {
    let head = (any::<u64>(), any::<u32>(), any::<u16>(), any::<Option<(u64, u64)>>());
    let strategy = (any::<u64>(), head, text(), vec(any::<u64>(), 0..50));
    check(strategy, |(call, (method, remaining_ms, depth, trace), key, numbers)| {
        let trace = trace.map(|(root, parent)| Trace { root, parent });
        let head = CallHead { method, remaining_ms, depth, trace };
        let args = (key, numbers);

        let mut out = Vec::new();
        put_call(&mut out, limits::FRAME, call, &head, &args).unwrap();
        with_frame(&out, |frame| {
            let Message::Call { call: id, head: got, args: mut reader } =
                Message::decode(frame).unwrap()
            else {
                panic!("a call was written");
            };
            assert_eq!((id, got, reader.read()), (call, head, Ok(args.clone())));
            assert_eq!(reader.finish(), Ok(()));
        });

        let mut out = Vec::new();
        put_event(&mut out, limits::FRAME, &head, &args).unwrap();
        with_frame(&out, |frame| {
            let Message::Event { head: got, args: mut reader } = Message::decode(frame).unwrap()
            else {
                panic!("an event was written");
            };
            assert_eq!((got, reader.read()), (head, Ok(args.clone())));
        });

        let mut out = Vec::new();
        put_reply(&mut out, limits::FRAME, call, &args).unwrap();
        with_frame(&out, |frame| assert_eq!(from_slice(frame.body), Ok(args.clone())));
    });
}

#[test]
fn hellos() {
    let strategy = (any::<u128>(), limits::LEAST_FRAME.., any::<u32>());
    check(strategy, |(bits, max_frame, window)| {
        let hello = Hello { max_frame, window, ..Hello::new(NodeId::from_bits(bits)) };
        let mut out = Vec::new();
        hello.put(&mut out);
        with_frame(&out, |frame| assert_eq!(Hello::decode(frame.body), Ok(hello)));
    });
    let node = NodeId::from_bits(u128::MAX);
    assert_eq!(node.to_string(), "f".repeat(30));
    assert_eq!(NodeId::from_bits(0xa).to_string(), "a", "as the tutorial prints it");
}

#[test]
fn outcomes() {
    let texts = (text(), text(), text(), text());
    check((texts, any::<u32>(), vec(any::<u8>(), 0..99)), |(texts, line, data)| {
        let (class, origin, file, text) = &texts;
        let exception = Exception { class, origin, file, line, text, data: &data };
        let mut out = Vec::new();
        exception.put(&mut out, limits::FRAME, 3).unwrap();
        with_frame(&out, |frame| assert_eq!(Exception::decode(frame.body), Ok(exception)));
    });
    check((any::<u16>(), text()), |(number, text)| {
        let refused = Refused { code: RefusedCode::from_number(number), text: &text };
        let bye = Bye { code: ByeCode::from_number(number), text: &text };
        assert_eq!((refused.code.number(), bye.code.number()), (number, number));
        let mut out = Vec::new();
        refused.put(&mut out, 3);
        with_frame(&out, |frame| assert_eq!(Refused::decode(frame.body), Ok(refused)));
        let mut out = Vec::new();
        bye.put(&mut out);
        with_frame(&out, |frame| assert_eq!(Bye::decode(frame.body), Ok(bye)));
    });
    assert_eq!(RefusedCode::Other(999).to_string(), "code 999");
    assert_eq!(RefusedCode::from_number(3), RefusedCode::Overloaded);
}

/// The short ways for the frames that are sent most often write what the others do, behind whatever
/// is there.
#[test]
fn plain_frames_are_those_of_the_long_ways() {
    let heads = any::<(u64, u64, u32, u16)>();
    let sizes = prop_oneof![0..40usize, 100..200usize, 2_000..3_000usize];
    check((heads, sizes), |((call, method, remaining_ms, depth), size)| {
        let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let (mut plain, mut long) = (vec![9; size % 7], vec![9; size % 7]);
        for trace in [None, Some(Trace { root: call, parent: method })] {
            let head = CallHead { method, remaining_ms, depth, trace };
            put_request(&mut plain, Some(call), &head, &bytes, 0);
            put_call(&mut long, limits::FRAME, call, &head, &Encoded(&bytes)).unwrap();
            put_request(&mut plain, None, &head, &bytes, 0);
            put_event(&mut long, limits::FRAME, &head, &Encoded(&bytes)).unwrap();
            assert_eq!(plain, long);
        }
        put_bytes_reply(&mut plain, call, &bytes, 0);
        put_reply(&mut long, limits::FRAME, call, &bytes).unwrap();
        assert_eq!(plain, long);
    });
}

#[test]
fn deadlines_round_up_and_never_vanish() {
    let cases = [
        (Duration::ZERO, 1),
        (Duration::from_nanos(1), 1),
        (Duration::from_millis(5), 5),
        (Duration::from_nanos(5_000_001), 6),
        (Duration::MAX, u32::MAX),
    ];
    for (duration, millis) in cases {
        assert_eq!(CallHead::millis(duration), millis);
    }
    let head = CallHead { remaining_ms: 1500, ..CallHead::new(1) };
    assert_eq!(head.remaining(), Some(Duration::from_millis(1500)));
    assert_eq!(CallHead::new(1).remaining(), None);
}
