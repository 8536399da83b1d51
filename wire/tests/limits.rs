//! Promise: each number that `docs/wire-protocol.md` gives for values and frames holds exactly:
//! what is at the limit is written and read, what is one beyond is refused by both sides, in words.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use common::Link;
use peers_wire::{
    Bye, ByeCode, CallHead, Decode, Deframer, Encode, Error, Exception, Hello, Kind, NodeId,
    Record, Refused, RefusedCode, Value, from_slice, limits, put_call, put_frame, put_reply,
    to_vec,
};

const PAGE: &str = include_str!("../../docs/wire-protocol.md");

#[test]
fn the_page_gives_these_numbers() {
    for (number, words) in [
        (limits::DEPTH as usize, "contain themselves | 64 |"),
        (limits::NODES as usize, "in one body | 65,536 |"),
        (limits::MEMORY >> 20, "here 64 MiB | the value is refused"),
        (limits::FRAME_BEFORE_HELLO as usize, "has been read | 4,096 bytes |"),
        ((limits::FRAME >> 20) as usize, "hello, here 4 MiB |"),
        (limits::LEAST_FRAME as usize, "at least 4,096 (`bad-hello-limit`)"),
        (limits::PLACE, "Origin and file are cut to 256 bytes"),
        (limits::TEXT, "text to 4,096, by the sender"),
        (limits::REASON, "is cut to 1,024 bytes on both sides"),
    ] {
        assert!(PAGE.contains(words), "{words}");
        assert!(words.replace(',', "").contains(&number.to_string()), "{number}: {words}");
    }
}

/// Checks that `value` is written and read, and that what comes of it by one more `wrap` is
/// neither.
fn deepest<T>(value: T, wrap: impl Fn(T) -> T, spell: impl Fn(Vec<u8>) -> Vec<u8>)
where
    T: for<'a> Decode<'a> + Encode + Clone + Debug + PartialEq,
{
    let bytes = to_vec(&value).unwrap();
    assert_eq!(from_slice(&bytes).as_ref(), Ok(&value));
    let too_deep = Error::TooDeep { limit: 64 };
    assert_eq!(to_vec(&wrap(value)), Err(too_deep.clone()));
    assert_eq!(from_slice::<T>(&spell(bytes)), Err(too_deep));
}

fn record(inner: Value) -> Value {
    Record { name: String::new(), fields: vec![(String::new(), inner)] }.into()
}

#[test]
fn values_are_64_levels_deep() {
    type Wrap = fn(Value) -> Value;
    let wraps: [(Wrap, &[u8], &[u8]); 4] = [
        (|inner| Value::List(vec![inner]), &[7, 0, 0, 0, 1], &[]),
        (|inner| Value::Map(vec![(inner, Value::Null)]), &[8, 0, 0, 0, 1], &[0]),
        (|inner| Value::Map(vec![(Value::Null, inner)]), &[8, 0, 0, 0, 1, 0], &[]),
        (record, &[9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], &[]),
    ];
    for (wrap, before, after) in wraps {
        let spell = |inner: Vec<u8>| [before, &inner, after].concat();
        let value = (0..64).fold(Value::Bool(true), |inner, _| wrap(inner));
        deepest(value, wrap, spell);
        // An empty one is a level, too.
        let value = (0..63).fold(Value::List(Vec::new()), |inner, _| wrap(inner));
        deepest(value, wrap, spell);
    }
    let mixed = (0..16).fold(Value::Null, |inner, _| {
        record(Value::Map(vec![(Value::Null, Value::List(vec![Value::List(vec![inner])]))]))
    });
    deepest(mixed, record, |inner| [wraps[3].1, &inner].concat());
}

#[test]
fn boxes_are_64_levels_deep() {
    let wrap = |inner| Link { number: 7, next: Some(Box::new(inner)) };
    let value = (0..64).fold(Link { number: 7, next: None }, |inner, _| wrap(inner));
    deepest(value, wrap, |inner| {
        let length = u32::try_from(inner.len() + 5).unwrap();
        [&length.to_be_bytes()[..], &[0, 0, 0, 7, 1], &inner].concat()
    });
}

/// Levels of all kinds are the same levels: sixty-one for the value, and one each for the list, the
/// set's neighbour and the map.
#[test]
fn static_types_and_values_share_their_levels() {
    type Nest = Vec<BTreeMap<u8, Vec<Value>>>;
    let nest = |levels: u32| -> Nest {
        let value = (0..levels).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        vec![BTreeMap::from([(1, vec![value])])]
    };
    let allowed = nest(61);
    assert_eq!(from_slice(&to_vec(&allowed).unwrap()), Ok(allowed));
    assert_eq!(to_vec(&nest(62)), Err(Error::TooDeep { limit: 64 }));
    // Width is not depth: sets beside each other leave no level behind.
    let wide: Vec<BTreeSet<u8>> = vec![BTreeSet::from([1]); 1_000];
    assert_eq!(from_slice(&to_vec(&wide).unwrap()), Ok(wide));
}

#[test]
fn one_body_has_65_536_nodes() {
    let nulls = |count: usize| Value::List(vec![Value::Null; count]);
    let allowed = nulls(65_535);
    let bytes = to_vec(&allowed).unwrap();
    assert_eq!(from_slice(&bytes), Ok(allowed));
    let refused = |error: Error| matches!(error, Error::TooManyNodes { limit: 65_536, .. });
    assert!(refused(to_vec(&nulls(65_536)).unwrap_err()), "written");
    let mut beyond = bytes;
    beyond[1..5].copy_from_slice(&65_536_u32.to_be_bytes());
    beyond.push(0);
    assert!(refused(from_slice::<Value>(&beyond).unwrap_err()), "read");
}

#[test]
fn one_body_has_65_536_elements_without_bytes() {
    let refused = |error: Error| matches!(error, Error::TooManyNodes { limit: 65_536, .. });
    for parts in [[65_536, 0], [65_535, 1], [30_000, 35_536]] {
        let allowed = parts.map(|count| vec![(); count]).to_vec();
        assert_eq!(from_slice(&to_vec(&allowed).unwrap()), Ok(allowed.clone()));
        let mut beyond = allowed;
        beyond[1].push(());
        assert!(refused(to_vec(&beyond).unwrap_err()), "written: {parts:?}");
        let counts = beyond.iter().map(|units| u32::try_from(units.len()).unwrap().to_be_bytes());
        let bytes = [&2_u32.to_be_bytes()[..], &counts.collect::<Vec<_>>().concat()].concat();
        assert!(refused(from_slice::<Vec<Vec<()>>>(&bytes).unwrap_err()), "read: {parts:?}");
    }
    // Nodes are of both kinds.
    let both = (vec![(); 65_535], Value::Null);
    assert_eq!(from_slice(&to_vec(&both).unwrap()), Ok(both));
    assert!(refused(to_vec(&(vec![(); 65_536], Value::Null)).unwrap_err()));
}

/// Elements of 64 bytes that are spelled as one: there is room for a million of them in 64 MiB.
#[test]
fn elements_take_64_mib_of_memory() {
    type Large = Option<[u64; 7]>;
    #[derive(Debug)]
    struct Elements(#[allow(dead_code, reason = "only its size counts")] Large);
    impl<'a> Decode<'a> for Elements {
        const MIN_SIZE: usize = 1;
        fn decode(r: &mut peers_wire::Reader<'a>) -> Result<Self, Error> {
            r.u8().map(|_| Self(None))
        }
    }
    let most = limits::MEMORY / size_of::<Elements>();
    assert_eq!(most, 1 << 20);
    let bytes = |count: usize| {
        let mut bytes = u32::try_from(count).unwrap().to_be_bytes().to_vec();
        bytes.resize(4 + count, 0);
        bytes
    };
    assert_eq!(from_slice::<Vec<Elements>>(&bytes(most)).map(|all| all.len()), Ok(most));
    let error = from_slice::<Vec<Elements>>(&bytes(most + 1)).unwrap_err();
    assert_eq!(error, Error::TooMuchMemory { limit: 64 << 20, offset: 4 });
}

#[test]
fn a_count_says_what_the_bytes_left_can_hold() {
    fn exactly<T: for<'a> Decode<'a> + Debug>(element: &[u8]) {
        let bytes = |count: u32| [&count.to_be_bytes()[..], &element.repeat(3)].concat();
        from_slice::<T>(&bytes(3)).unwrap();
        let left = element.len() * 3;
        let expected = Error::BadCount { count: 4, left, offset: 0 };
        assert_eq!(from_slice::<T>(&bytes(4)).unwrap_err(), expected);
    }
    exactly::<Vec<u8>>(&[7]);
    exactly::<Vec<u64>>(&[7; 8]);
    exactly::<Vec<String>>(&[0; 4]);
    exactly::<Vec<(u8, bool)>>(&[1; 2]);
    exactly::<Vec<Value>>(&[0]);
}

#[test]
fn a_body_is_as_long_as_its_reader_accepts() {
    for limit in [limits::FRAME_BEFORE_HELLO, limits::FRAME] {
        let text = "x".repeat(limit as usize - 4);
        let mut out = Vec::new();
        put_reply(&mut out, limit, 1, &text).unwrap();
        let read = |out: &[u8]| {
            let mut deframer = Deframer::new(limit);
            deframer.next(&mut &out[..]).map(|frame| frame.unwrap().body.len())
        };
        assert_eq!(read(&out), Ok(limit as usize));
        let longer = format!("{text}x");
        let size = limit as usize + 1;
        let refused = put_reply(&mut Vec::new(), limit, 1, &longer);
        assert_eq!(refused, Err(Error::OutputTooLarge { size, limit: limit as usize }));
        let mut beyond = Vec::new();
        put_reply(&mut beyond, u32::MAX, 1, &longer).unwrap();
        let length = limit + 1;
        assert_eq!(read(&beyond), Err(Error::FrameTooLarge { length, limit }));
    }
    // A request's head is no part of what its arguments may take less of: 16 bytes of the body.
    let head = CallHead::new(1);
    assert_eq!(put_call(&mut Vec::new(), 4_096, 1, &head, &"x".repeat(4_096 - 20)), Ok(()));
    let refused = put_call(&mut Vec::new(), 4_096, 1, &head, &"x".repeat(4_096 - 19));
    assert_eq!(refused, Err(Error::OutputTooLarge { size: 4_097, limit: 4_096 }));
}

#[test]
fn a_hello_announces_at_least_4_096_bytes_and_an_id_of_120_bits() {
    let read = |max_frame: u32, node: u128| {
        let mut out = Vec::new();
        put_frame(&mut out, u32::MAX, Kind::Hello, 0, 0, |w| {
            w.structure(|w| {
                w.u16(1);
                w.u128(node);
                w.u32(max_frame);
                w.u32(1);
            });
        })
        .unwrap();
        Hello::decode(&out[16..]).map(|hello| (hello.max_frame, hello.node))
    };
    let most = (1 << 120) - 1;
    assert_eq!(read(4_096, most), Ok((4_096, NodeId::from_bits(most))));
    assert!(read(4_095, most).is_err());
    assert!(read(4_096, most + 1).is_err());
}

#[test]
fn texts_are_cut_exactly_at_their_limits() {
    let raised = |place: &str, text: &str| {
        let raised =
            Exception { class: "a.b", origin: place, file: place, line: 1, text, data: &[] };
        let mut out = Vec::new();
        raised.put(&mut out, limits::FRAME, 1).unwrap();
        let read = Exception::decode(&out[16..]).unwrap();
        (read.origin.len(), read.file.len(), read.text.len())
    };
    let text = |bytes: usize| "x".repeat(bytes);
    assert_eq!(raised(&text(256), &text(4_096)), (256, 256, 4_096));
    assert_eq!(raised(&text(257), &text(4_097)), (256, 256, 4_096));
    let reasons = |bytes: usize| {
        let (mut refused, mut bye) = (Vec::new(), Vec::new());
        Refused { code: RefusedCode::Failed, text: &text(bytes) }.put(&mut refused, 1);
        Bye { code: ByeCode::Closed, text: &text(bytes) }.put(&mut bye);
        let refused = Refused::decode(&refused[16..]).unwrap().text.len();
        (refused, Bye::decode(&bye[16..]).unwrap().text.len())
    };
    assert_eq!([reasons(1_024), reasons(1_025)], [(1_024, 1_024); 2]);
}
