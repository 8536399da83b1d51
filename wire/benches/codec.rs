//! What writing and reading costs: per type, and per frame of a small call, beside copying as many
//! bytes; and what costs more than two such copies. Run with `cargo bench -p peers-wire`; an
//! argument selects the rows whose name contains it.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and knows what it puts in"
)]

#[path = "../../kernel/benches/harness/mod.rs"]
mod harness;

use harness::nanos;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;

use peers_wire::{
    CallHead, Decode, Deframer, Encode, Encoded, Message, Record, Trace, Value, Writer, append,
    from_slice, limits, put_call, put_reply,
};

/// How many times a copy of the bytes values may cost.
const TARGET: f64 = 2.0;

struct Table {
    filter: Option<String>,
    /// What costs more than [`TARGET`] copies.
    slow: RefCell<Vec<String>>,
}

impl Table {
    fn head(&self) {
        println!(
            "{:<34} {:>9} {:>9} {:>7} {:>7} {:>9} {:>7} {:>7} {:>9}",
            "what", "bytes", "write ns", "MB/s", "copies", "read ns", "MB/s", "copies", "copy ns"
        );
    }

    fn row<W: FnMut(), R: FnMut()>(
        &self,
        name: &str,
        bytes: &[u8],
        write: Option<W>,
        read: Option<R>,
    ) {
        if self.filter.as_ref().is_some_and(|filter| !name.contains(filter.as_str())) {
            return;
        }
        let mut target = vec![0; bytes.len()];
        let copy = nanos(|| {
            black_box(&mut target).copy_from_slice(black_box(bytes));
        });
        let figures = |what: &str, nanos: Option<f64>| {
            let Some(nanos) = nanos else { return format!("{:>9} {:>7} {:>7}", "-", "-", "-") };
            let copies = nanos / copy;
            if copies > TARGET {
                self.slow.borrow_mut().push(format!("{what} {name} ({copies:.1})"));
            }
            format!("{nanos:>9.1} {:>7.0} {copies:>7.1}", bytes.len() as f64 * 1e3 / nanos)
        };
        let (write, read) = (figures("write", write.map(nanos)), figures("read", read.map(nanos)));
        println!("{name:<34} {:>9} {write} {read} {copy:>9.1}", bytes.len());
    }

    fn foot(&self) {
        println!("\nMore than {TARGET} copies of the bytes:");
        for slow in self.slow.borrow().iter() {
            println!("  {slow}");
        }
    }

    fn value<T: Encode + for<'a> Decode<'a>>(&self, name: &str, value: &T) {
        let mut out = Vec::new();
        let bytes = peers_wire::to_vec(value).unwrap();
        let write = || {
            out.clear();
            let mut writer = Writer::new(&mut out);
            black_box(value).encode(&mut writer);
            writer.finish().unwrap();
            black_box(&out);
        };
        let read = || {
            black_box(from_slice::<T>(black_box(&bytes)).ok());
        };
        self.row(name, &bytes, Some(write), Some(read));
    }
}

fn types(table: &Table) {
    let key = "0123456789abcdef".to_owned();
    table.value("u64", &7u64);
    table.value("(u8, u16, u32, u64, bool)", &(1u8, 2u16, 3u32, 4u64, true));
    table.value("string of 16, owned", &key);
    table.value("(string, string)", &(key.clone(), key.clone()));
    table.value("option<u32>", &Some(7u32));
    table.value("list<u64> of 1,000", &(0..1_000u64).collect::<Vec<_>>());
    table.value("list<f64> of 1,000", &vec![0.5f64; 1_000]);
    table.value("list<string> of 1,000", &vec![key.clone(); 1_000]);
    table.value("list<(u32,bool)> of 1,000", &vec![(7u32, true); 1_000]);
    let pairs: BTreeMap<u32, u32> = (0..1_000).map(|number| (number, number)).collect();
    table.value("map<u32,u32> of 1,000", &pairs);
    table.value("bytes, 64 KiB", &vec![7u8; 64 << 10]);
    table.value("bytes, 1 MiB", &vec![7u8; 1 << 20]);
    let fields = vec![("x".to_owned(), Value::from(3)), ("y".to_owned(), Value::from(4))];
    let record = Value::from(Record { name: "point".to_owned(), fields });
    table.value("value: 1,000 records", &Value::from(vec![record; 1_000]));
}

fn frames(table: &Table) {
    let key = "0123456789abcdef";
    let head = CallHead { remaining_ms: 30_000, depth: 1, ..CallHead::new(7) };
    let traced = CallHead { trace: Some(Trace { root: 1, parent: 2 }), ..head };
    for (name, head) in [("call get(16 bytes), borrowed", head), ("the same, traced", traced)] {
        let (mut out, mut stream) = (Vec::new(), Vec::new());
        put_call(&mut stream, limits::FRAME, 1, &head, &(key,)).unwrap();
        let write = || {
            out.clear();
            put_call(&mut out, limits::FRAME, 1, black_box(&head), &(black_box(key),)).unwrap();
            black_box(&out);
        };
        let mut deframer = Deframer::new(limits::FRAME);
        let read = || {
            let mut input = black_box(stream.as_slice());
            let frame = deframer.next(&mut input).unwrap().unwrap();
            let Ok(Message::Call { mut args, .. }) = Message::decode(&frame) else { return };
            black_box(args.read::<(&str,)>().ok());
        };
        table.row(name, &stream, Some(write), Some(read));
    }

    let (mut out, mut stream) = (Vec::new(), Vec::new());
    put_call(&mut stream, limits::FRAME, 1, &head, &(key,)).unwrap();
    let mut args = Vec::new();
    let through_memory = || {
        out.clear();
        args.clear();
        append(&mut args, &(black_box(key),)).unwrap();
        put_call(&mut out, limits::FRAME, 1, black_box(&head), &Encoded(&args)).unwrap();
        black_box(&out);
    };
    table.row("call from memory", &stream, Some(through_memory), None::<fn()>);
    streams(table, &stream.repeat(256));
}

/// Many frames in one segment and in many, and many replies.
fn streams(table: &Table, calls: &[u8]) {
    let mut out = Vec::new();
    let mut replies = || {
        out.clear();
        for call in 0..256 {
            put_reply(&mut out, limits::FRAME, call, black_box("0123456789abcdef")).unwrap();
        }
        out.len()
    };
    let size = replies();
    let write = || {
        black_box(replies());
    };
    table.row("256 replies", &calls[..size], Some(write), None::<fn()>);
    for (name, segment) in [("256 calls, one segment", usize::MAX), ("the same, 60 bytes each", 60)]
    {
        let mut deframer = Deframer::new(limits::FRAME);
        let read = || {
            for mut input in black_box(calls).chunks(segment) {
                while let Some(frame) = deframer.next(&mut input).unwrap() {
                    black_box(&frame);
                }
            }
        };
        table.row(name, calls, None::<fn()>, Some(read));
    }
}

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let table = Table { filter, slow: RefCell::default() };
    table.head();
    types(&table);
    frames(&table);
    table.foot();
}
