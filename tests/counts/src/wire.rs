//! Values and frames.

use peers_wire::{
    CallHead, DecodeOwned, Deframer, Encode, Message, Record, Value, Writer, from_slice, limits,
    to_vec,
};
use std::collections::BTreeMap;
use std::hint::black_box;

/// Holds what people put into calls: strings, numbers, something optional, a short list.
type Typical = (String, String, u64, Option<u32>, Vec<String>);

fn typical() -> Typical {
    let word = "0123456789abcdef".to_owned();
    (word.clone(), word.clone(), 7, Some(8), vec![word.clone(), word.clone(), word])
}

fn record() -> Value {
    let field = |name: &str, value: Value| (name.to_owned(), value);
    let fields = vec![
        field("name", Value::from("0123456789abcdef")),
        field("x", Value::from(3)),
        field("y", Value::from(4)),
        field("near", Value::from(vec![Value::from(1), Value::from(2)])),
    ];
    Value::from(Record { name: "point".to_owned(), fields })
}

fn write(times: u64, value: &impl Encode) {
    let mut out = Vec::new();
    for _ in 0..times {
        out.clear();
        let mut writer = Writer::new(&mut out);
        black_box(value).encode(&mut writer);
        writer.finish().expect("the value is within limits");
        black_box(&out);
    }
}

fn read<T: Encode + DecodeOwned>(times: u64, value: &T) {
    let bytes = to_vec(value).expect("the value is within limits");
    for _ in 0..times {
        black_box(from_slice::<T>(black_box(&bytes)).expect("the bytes are well"));
    }
}

pub(crate) fn encode(times: u64) {
    write(times, &typical());
}

pub(crate) fn decode(times: u64) {
    read(times, &typical());
}

/// Lists and trees: numbers, names, a map.
type Lists = (Vec<u64>, Vec<String>, BTreeMap<String, u32>);

fn lists() -> Lists {
    let names = (0..16).map(|number| format!("{number:04}56789abcdef")).collect::<Vec<_>>();
    let map = names.iter().cloned().zip(0..).collect();
    ((0..30).collect(), names, map)
}

pub(crate) fn encode_lists(times: u64) {
    write(times, &lists());
}

pub(crate) fn decode_lists(times: u64) {
    read(times, &lists());
}

pub(crate) fn encode_value(times: u64) {
    write(times, &record());
}

pub(crate) fn decode_value(times: u64) {
    read(times, &record());
}

/// A call for a string.
const HEAD: CallHead = CallHead { remaining_ms: 30_000, depth: 1, ..CallHead::new(7) };
const KEY: (&str,) = ("0123456789abcdef",);

fn put(out: &mut Vec<u8>) {
    peers_wire::put_call(out, limits::FRAME, 1, black_box(&HEAD), black_box(&KEY))
        .expect("a call fits")
}

pub(crate) fn put_call(times: u64) {
    let mut out = Vec::new();
    for _ in 0..times {
        out.clear();
        put(&mut out);
        black_box(&out);
    }
}

/// Cuts so many calls out of segments of this size; each segment of calls holds 256.
fn cut(calls: u64, segment: usize) {
    const CALLS: u64 = 256;
    assert!(calls.is_multiple_of(CALLS), "{calls} calls fill no segment");
    let mut stream = Vec::new();
    (0..CALLS).for_each(|_| put(&mut stream));
    let mut deframer = Deframer::new(limits::FRAME);
    let mut found = 0;
    for _ in 0..calls / CALLS {
        for mut input in black_box(&stream).chunks(segment) {
            while let Some(frame) = deframer.next(&mut input).expect("frames are well") {
                black_box(&frame);
                found += 1;
            }
        }
    }
    assert_eq!(found, calls);
}

pub(crate) fn deframe(calls: u64) {
    cut(calls, usize::MAX);
}

pub(crate) fn deframe_parts(calls: u64) {
    cut(calls, 60);
}

pub(crate) fn message(times: u64) {
    let mut stream = Vec::new();
    put(&mut stream);
    let mut deframer = Deframer::new(limits::FRAME);
    for _ in 0..times {
        let mut input = black_box(stream.as_slice());
        let frame = deframer.next(&mut input).expect("frames are well").expect("it is whole");
        match Message::decode(&frame).expect("the message is well") {
            Message::Call { mut args, .. } => {
                black_box(args.read::<(&str,)>().expect("a string was put"));
            }
            other => panic!("a call was put, not {other:?}"),
        }
    }
}
