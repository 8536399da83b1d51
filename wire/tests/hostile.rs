//! Bytes that lie. Nothing panics, nothing is allocated for bytes that are not there, the stack
//! stays flat, and the error says what is wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use common::{Link, Numbers, Point, Shape, Tree, vectors};
use peers_wire::{
    Bye, ByeCode, CallHead, Decode, Deframer, Encode, Error, Exception, Hello, Kind, Message,
    NodeId, Reader, Record, Refused, RefusedCode, Value, Writer, from_slice, fuzz, is_invisible,
    limits, put_call, put_frame, put_reply, put_request, to_vec,
};

/// Reads `bytes` as everything there is.
fn read_as_everything(bytes: &[u8]) {
    fuzz::value(bytes);
    fuzz::frame(&[&[3], bytes].concat());
    stable::<Point>(bytes);
    stable::<Shape>(bytes);
    stable::<Tree>(bytes);
    stable::<Link>(bytes);
    stable::<Vec<Vec<Point>>>(bytes);
    stable::<BTreeMap<String, BTreeSet<u16>>>(bytes);
    for kind in [Kind::Hello, Kind::Call, Kind::Exception, Kind::Refused, Kind::Bye] {
        let mut frame = vec![255];
        put_frame(&mut frame, u32::MAX, kind, 0, 0, |w| w.put(bytes)).unwrap();
        fuzz::frame(&frame);
    }
}

/// Asserts that what could be read can be written, and is then still the same.
fn stable<T: for<'a> Decode<'a> + Encode + Debug + PartialEq>(bytes: &[u8]) {
    if let Ok(value) = from_slice::<T>(bytes) {
        assert_eq!(from_slice(&to_vec(&value).unwrap()), Ok(value));
    }
}

#[test]
fn each_truncation_of_each_vector() {
    for vector in vectors() {
        for end in 0..vector.bytes.len() {
            read_as_everything(&vector.bytes[..end]);
        }
    }
}

#[test]
fn each_bit_of_each_vector_flipped() {
    for vector in vectors() {
        let mut bytes = vector.bytes;
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            read_as_everything(&bytes);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn each_number_of_each_vector_at_its_limits() {
    for vector in vectors() {
        for at in 0..vector.bytes.len().saturating_sub(3) {
            for number in [0, 1, u32::MAX / 2, u32::MAX - 1, u32::MAX] {
                let mut bytes = vector.bytes.clone();
                bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
                read_as_everything(&bytes);
            }
        }
    }
}

#[test]
fn truncated_values_say_so() {
    let value = (1u64, "arrakis".to_owned(), vec![1u32, 2], Some(true));
    let bytes = to_vec(&value).unwrap();
    for end in 0..bytes.len() {
        let error = from_slice::<(u64, String, Vec<u32>, Option<bool>)>(&bytes[..end]).unwrap_err();
        assert!(
            matches!(error, Error::Truncated { .. } | Error::BadCount { .. }),
            "{end}: {error}"
        );
    }
}

/// Runs `test` where a recursion without bound would crash.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(256 << 10).spawn(test).unwrap().join().unwrap();
}

#[test]
fn nesting_a_million_deep_is_refused_on_a_small_stack() {
    on_a_small_stack(|| {
        let too_deep = Error::TooDeep { limit: limits::DEPTH };
        let lists = [7, 0, 0, 0, 1].repeat(1_000_000);
        assert_eq!(from_slice::<Value>(&lists), Err(too_deep.clone()));
        let maps = [8, 0, 0, 0, 1].repeat(1_000_000);
        assert_eq!(from_slice::<Value>(&maps), Err(too_deep.clone()));
        let records = [9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0].repeat(1_000_000);
        assert_eq!(from_slice::<Value>(&records), Err(too_deep.clone()));

        let mut links = Vec::new();
        for left in (0..1_000_000u32).rev() {
            links.extend((left * 9 + 5).to_be_bytes());
            links.extend([0, 0, 0, 0, 1]);
        }
        assert_eq!(from_slice::<Link>(&links), Err(too_deep.clone()));
        let mut trees = Vec::new();
        for left in (0..1_000_000u32).rev() {
            trees.extend((left * 12 + 8).to_be_bytes());
            trees.extend([0, 0, 0, 0, 0, 0, 0, 1]);
        }
        assert_eq!(from_slice::<Tree>(&trees), Err(too_deep));
    });
}

fn nested(levels: u32) -> Value {
    (0..levels).fold(Value::Null, |inner, _| Value::List(vec![inner]))
}

#[test]
fn depth_is_bounded_at_the_same_level_in_both_directions() {
    let allowed = nested(limits::DEPTH);
    assert_eq!(from_slice(&to_vec(&allowed).unwrap()), Ok(allowed));
    let too_deep = Error::TooDeep { limit: limits::DEPTH };
    assert_eq!(to_vec(&nested(limits::DEPTH + 1)), Err(too_deep));
    // Levels are given back: width is not depth.
    let wide = Value::List(vec![nested(limits::DEPTH - 1); 3]);
    assert_eq!(from_slice(&to_vec(&wide).unwrap()), Ok(wide));
}

#[test]
fn elements_without_bytes_are_charged() {
    let limit = limits::NODES;
    assert_eq!(from_slice::<Vec<()>>(&limit.to_be_bytes()).map(|units| units.len()), Ok(65_536));
    let too_many = from_slice::<Vec<((), ())>>(&(limit + 1).to_be_bytes());
    assert_eq!(too_many, Err(Error::TooManyNodes { limit, offset: 4 }));
    // One budget for the whole input, also through structures.
    let half = [0, 0, 0, 4, 0, 0, 0x80, 0];
    let bytes = half.repeat(3);
    let mut reader = Reader::new(&bytes);
    for _ in 0..2 {
        assert_eq!(
            reader.structure().unwrap().read::<Vec<()>>().map(|units| units.len()),
            Ok(32_768)
        );
    }
    assert!(matches!(
        reader.structure().unwrap().read::<Vec<()>>(),
        Err(Error::TooManyNodes { .. })
    ));
}

#[test]
fn values_are_charged_a_node_each() {
    let nulls = |count: u32| {
        let mut bytes = vec![7];
        bytes.extend(count.to_be_bytes());
        bytes.resize(5 + count as usize, 0);
        bytes
    };
    assert!(from_slice::<Value>(&nulls(limits::NODES - 1)).is_ok());
    let error = from_slice::<Value>(&nulls(limits::NODES)).unwrap_err();
    assert!(matches!(error, Error::TooManyNodes { limit: limits::NODES, .. }), "{error}");
}

#[test]
fn small_elements_cannot_unfold_into_much_memory() {
    fn assert_small<T: for<'a> Decode<'a> + Debug>() {
        let count = 4 << 20;
        let mut bytes = Vec::from(u32::to_be_bytes(count));
        bytes.resize(4 + count as usize, 0);
        let error = from_slice::<Vec<T>>(&bytes).unwrap_err();
        assert!(matches!(error, Error::TooMuchMemory { limit: limits::MEMORY, .. }), "{error}");
    }
    assert_small::<Option<(String, String, String)>>();
    assert_small::<Option<Value>>();
    let honest = vec!["x".to_owned(); 500_000];
    assert_eq!(
        from_slice(&to_vec(&honest).unwrap()),
        Ok(honest),
        "a frame full of strings is fine"
    );
}

/// A map of one element has a node for eleven.
#[test]
fn small_maps_cannot_unfold_into_much_memory() {
    type Large = (Option<(String, String, String)>, Option<(String, String, String)>);
    let maps = |count: u32| {
        let mut bytes = Vec::from(count.to_be_bytes());
        (0..count).for_each(|_| bytes.extend([0, 0, 0, 1, 7, 0, 0]));
        bytes
    };
    let error = from_slice::<Vec<BTreeMap<u8, Large>>>(&maps(100_000)).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::TooMuchMemory { limit: limits::MEMORY, .. }), "{error}");
    assert!(from_slice::<Vec<BTreeMap<u8, Large>>>(&maps(10_000)).is_ok());
    let error =
        from_slice::<Vec<BTreeSet<(u8, Option<(String, String, String)>, bool)>>>(&maps(400_000));
    assert!(matches!(error, Err(Error::TooMuchMemory { .. })));
    let honest: BTreeMap<_, _> = (0..200_000u32).map(|n| (n.to_string(), n.to_string())).collect();
    assert_eq!(from_slice(&to_vec(&honest).unwrap()), Ok(honest), "a frame full of pairs is fine");
}

#[test]
fn lying_counts_fail_before_their_elements_are_read() {
    fn fails<T: for<'a> Decode<'a> + Debug>(count: u32) {
        let bytes = [&count.to_be_bytes()[..], &[0; 16]].concat();
        let error = from_slice::<T>(&bytes).map(|_| ()).unwrap_err();
        assert_eq!(error, Error::BadCount { count, left: 16, offset: 0 });
    }
    for count in [17, 65_536, u32::MAX] {
        fails::<Vec<bool>>(count);
        fails::<Vec<u8>>(count);
        fails::<Vec<i64>>(count);
        fails::<Vec<String>>(count);
        fails::<Vec<Value>>(count);
        fails::<BTreeSet<u16>>(count);
        fails::<BTreeMap<u8, ()>>(count);
    }
}

#[test]
fn offsets_inside_structures_count_from_the_start() {
    let mut bytes = vec![0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1];
    bytes.extend([9, 42]);
    let mut reader = Reader::new(&bytes);
    assert_eq!(reader.u32(), Ok(0));
    let mut fields = reader.structure().unwrap();
    assert_eq!((fields.offset(), fields.rest().len()), (8, 5));
    assert_eq!(fields.u32(), Ok(1));
    assert_eq!(fields.read::<bool>(), Err(Error::BadBool { found: 9, offset: 12 }));
    assert_eq!(fields.u8(), Err(Error::Truncated { needed: 1, left: 0, offset: 13 }));
    assert_eq!(fields.trailing::<Option<u64>>(), Ok(None));
    drop(fields);
    assert_eq!((reader.offset(), reader.u8()), (13, Ok(42)));
    assert_eq!(reader.finish(), Ok(()));
}

/// Rows 6 and 7: what a header claims costs nothing until bytes come.
#[test]
fn a_claimed_body_is_not_allocated() {
    let mut header = Vec::new();
    put_request(&mut header, Some(1), &CallHead::new(1), &[], 4_000_000);
    let deframers: Vec<_> = (0..10_000)
        .map(|_| {
            let mut deframer = Deframer::new(limits::FRAME);
            let mut input = header.as_slice();
            assert_eq!(deframer.next(&mut input), Ok(None));
            assert_eq!(deframer.pending(), 32);
            deframer
        })
        .collect();
    // 40 GB if the claim were believed.
    assert_eq!(deframers.len(), 10_000);
}

#[test]
fn each_kind_and_each_flag() {
    for kind in 0..=u8::MAX {
        for flags in [0, 1, 2, 0x80, 0xff] {
            let mut bytes = [0; 16 + 64];
            bytes[3] = 64;
            (bytes[4], bytes[5]) = (kind, flags);
            let mut deframer = Deframer::new(limits::FRAME);
            let mut input = &bytes[..];
            let got = deframer.next(&mut input).map(|frame| frame.map(|frame| frame.kind.number()));
            let length = |expected| Err(Error::BadLength { kind, length: 64, expected });
            let expected = match (kind, flags) {
                (129.., _) | (2 | 3, 0 | 1) | (1 | 4 | 5 | 6 | 11, 0) => Ok(Some(kind)),
                (7 | 9 | 10 | 128, 0) => length(0),
                (8, 0) => length(4),
                (1..=11 | 128, _) => Err(Error::UnknownFlags { kind, found: flags }),
                (32..=47, _) => Err(Error::ReservedKind { found: kind }),
                _ => Err(Error::UnknownKind { found: kind }),
            };
            assert_eq!(got, expected, "kind {kind}, flags {flags}");
        }
    }
}

#[test]
fn an_output_over_its_limit_is_left_as_it_was() {
    let mut out = b"before".to_vec();
    let body = "x".repeat(1000);
    let refused = put_reply(&mut out, 999, 1, &body);
    assert_eq!(refused, Err(Error::OutputTooLarge { size: 1004, limit: 999 }));
    let head = CallHead::new(1);
    let refused = put_call(&mut out, 1000, 1, &head, &(body.as_str(), 7u64, body.as_str()));
    assert_eq!(refused, Err(Error::OutputTooLarge { size: 16 + 2 * 1004 + 8, limit: 1000 }));
    let refused = put_reply(&mut out, 999, 1, &(vec![7u64; 125], 8u16));
    assert_eq!(refused, Err(Error::OutputTooLarge { size: 4 + 125 * 8 + 2, limit: 999 }));
    assert_eq!(out, b"before");
    assert_eq!(put_reply(&mut out, 1004, 1, &body), Ok(()));
    assert_eq!(out.len(), 6 + 16 + 1004);
}

#[test]
fn the_first_failure_of_a_writer_is_told() {
    let mut out = vec![1];
    let mut writer = Writer::with_limit(&mut out, 3);
    writer.u16(7);
    writer.structure(|w| w.u64(8));
    writer.write(&nested(limits::DEPTH + 1));
    assert!(matches!(writer.finish(), Err(Error::OutputTooLarge { limit: 3, .. })));
    assert_eq!(out, [1]);

    let mut writer = Writer::with_limit(&mut out, 1000);
    writer.write(&nested(limits::DEPTH + 1));
    writer.put(&[0; 2000]);
    assert_eq!(writer.finish(), Err(Error::TooDeep { limit: limits::DEPTH }));
    assert_eq!(out, [1]);
}

#[cfg(target_pointer_width = "64")]
#[test]
fn more_elements_than_a_count_can_say_are_refused() {
    let count = u32::MAX as usize + 1;
    assert_eq!(to_vec(&[(); u32::MAX as usize + 1][..]), Err(Error::TooManyElements { count }));
}

/// Row 40: a bomb of text is cut on both sides, at a whole character.
#[test]
fn long_texts_are_cut() {
    let bomb = "é".repeat(5_000_000);
    let raised =
        Exception { class: "a.b", origin: &bomb, file: &bomb, line: 1, text: &bomb, data: &[] };
    let mut out = Vec::new();
    raised.put(&mut out, limits::FRAME, 1).unwrap();
    assert!(out.len() < limits::TEXT + 2 * limits::PLACE + 100);
    let read = Exception::decode(&out[16..]).unwrap();
    assert_eq!((read.text.len(), read.file.len()), (limits::TEXT, limits::PLACE));

    let mut out = Vec::new();
    Refused { code: RefusedCode::Failed, text: &format!("x{bomb}") }.put(&mut out, 1);
    Bye { code: ByeCode::Protocol, text: &bomb }.put(&mut out);
    assert!(out.len() / 2 < limits::FRAME_BEFORE_HELLO as usize);

    // A peer that does not cut: its text is cut when read.
    let mut out = Vec::new();
    put_frame(&mut out, limits::FRAME, Kind::Bye, 0, 0, |w| {
        w.structure(|w| {
            w.u16(1);
            w.write("y".repeat(100_000).as_str());
        });
    })
    .unwrap();
    assert_eq!(Bye::decode(&out[16..]).unwrap().text.len(), limits::REASON);
}

/// Row 39: what is printed of a value cannot act on a terminal or reorder a line.
#[test]
fn printed_values_are_harmless() {
    let text = "a\x1b[31m\r\n\u{202e}\u{2066}\u{0}\"\u{3164}\u{fe0f}\u{2800}\u{a0}\u{fdd0}";
    let fields = vec![(text.to_owned(), Value::List(vec![Value::from(text)]))];
    let record = Value::Record(Box::new(Record { name: text.to_owned(), fields }));
    let value = Value::Map(vec![(Value::from(text), record)]);
    let (class, origin, file) = (text, text, text);
    let exception = Exception { class, origin, file, line: 1, text, data: &[] };
    let refused = Refused { code: RefusedCode::from_number(1), text };
    let bye = Bye { code: ByeCode::from_number(1), text };
    for printed in [
        value.to_string(),
        format!("{value:?}"),
        format!("{value:#?}").replace('\n', ""),
        format!("{exception:?} {refused:?} {bye:?}"),
    ] {
        assert!(!printed.contains(is_invisible), "{printed:?}");
        assert!(printed.contains(r"\u{3164}\u{fe0f}\u{2800}"), "{printed:?}");
    }
    let plain = Value::List(vec![Value::from("dune"), Value::from(1_u64)]);
    assert_eq!(format!("{plain:?}"), r#"List([String("dune"), Uint(1)])"#);
    assert_eq!(Value::from(&b"\x1b\xff"[..]).to_string(), r#"b"\x1b\xff""#);
}

#[test]
fn errors_are_one_line_and_can_go_anywhere() {
    fn anywhere<T: Send + Sync + Clone + std::error::Error + 'static>(_: &T) {}
    for vector in vectors() {
        let Err(error) = from_slice::<Value>(&vector.bytes) else { continue };
        anywhere(&error);
        let text = error.to_string();
        assert!(!text.is_empty() && text.len() < 120 && !text.contains('\n'), "{text}");
    }
}

#[test]
fn a_message_needs_its_whole_body() {
    let mut out = Vec::new();
    Hello::new(NodeId::from_bits(1)).put(&mut out);
    let body = &out[16..];
    for end in 0..body.len() {
        assert!(Hello::decode(&body[..end]).is_err(), "{end}");
    }
    let longer = [body, &[0]].concat();
    assert_eq!(Hello::decode(&longer), Err(Error::TrailingBytes { count: 1, offset: 30 }));
}

/// Random streams of good frames with damage, read as messages: the same every run.
#[test]
fn damaged_streams() {
    let good: Vec<u8> = vectors()
        .into_iter()
        .filter(|vector| vector.kind == "frame" && vector.error.is_none())
        .flat_map(|vector| vector.bytes)
        .collect();
    let mut numbers = Numbers(0xda3a6e);
    let mut read = 0;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..numbers.below(4) {
            let at = numbers.below(bytes.len());
            bytes[at] = numbers.next().to_le_bytes()[0];
        }
        let mut deframer = Deframer::new(limits::FRAME);
        let mut input = bytes.as_slice();
        while let Ok(Some(frame)) = deframer.next(&mut input) {
            if let Ok(Message::Call { head, .. }) = Message::decode(&frame) {
                assert!(
                    head.remaining()
                        .is_none_or(|left| left <= Duration::from_millis(u32::MAX.into()))
                );
            }
            read += 1;
        }
    }
    assert!(read > 100_000, "most frames are still read: {read}");
}
