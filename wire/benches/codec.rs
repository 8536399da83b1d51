//! Measures what writing and reading costs, beside copying as many bytes: of the values that the
//! applications and the tutorial send, of other types, and of frames; and what costs more than two
//! such copies. Run with `cargo bench -p peers-wire`; an argument selects the rows whose name
//! contains it.
//!
//! What is read into memory of its own is also measured in clones: `clone` makes the same
//! allocations and copies the same bytes, but finds no lengths and checks nothing, so nothing that
//! owns its memory can be read faster. Where a clone takes more than two copies, the rest is what
//! allocating costs.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and knows what it puts in"
)]

#[path = "../../kernel/benches/harness/mod.rs"]
mod harness;

use harness::nanos;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use peers_wire::{
    CallHead, Decode, Deframer, Encode, Encoded, Error, Message, Reader, Record, Trace, Value,
    Writer, append, from_slice, limits, put_call, put_reply,
};

/// Says how many times a copy of the bytes values may cost.
const TARGET: f64 = 2.0;

/// Written values start here or there in their output. A target that lies a few bytes behind its
/// source within their pages costs some processors ten times the copy; which of a few values lie so
/// is chance.
const STARTS: [usize; 2] = [0, 1_360];

struct Table {
    filter: Option<String>,
    /// Holds what costs more than [`TARGET`] copies.
    slow: RefCell<Vec<String>>,
}

impl Table {
    fn head(&self) {
        println!(
            "{:<36} {:>8} {:>9} {:>9} {:>7} {:>9} {:>7} {:>9} {:>7}",
            "what",
            "bytes",
            "copy ns",
            "write ns",
            "copies",
            "read ns",
            "copies",
            "clone ns",
            "clones"
        );
    }

    fn selects(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
    }

    /// Prints the nanoseconds of what was measured. `clone` is for what is read into memory of its
    /// own.
    fn row(
        &self,
        name: &str,
        bytes: &[u8],
        write: Option<f64>,
        read: Option<f64>,
        clone: Option<f64>,
    ) {
        let mut target = vec![0; bytes.len()];
        let copy = nanos(|| {
            black_box(&mut target).copy_from_slice(black_box(bytes));
        });
        let clones = read.zip(clone).map(|(read, clone)| read / clone);
        let figures = |what: &str, nanos: Option<f64>| {
            let Some(nanos) = nanos else { return format!("{:>9} {:>7}", "-", "-") };
            let copies = nanos / copy;
            if copies > TARGET {
                let clones = clones.filter(|_| what == "read");
                let clones =
                    clones.map_or_else(String::new, |clones| format!(", {clones:.1} clones"));
                self.slow.borrow_mut().push(format!("{what} {name} ({copies:.1}{clones})"));
            }
            format!("{nanos:>9.1} {copies:>7.1}")
        };
        let (write, read) = (figures("write", write), figures("read", read));
        let clones = match clone.zip(clones) {
            Some((clone, clones)) => format!("{clone:>9.1} {clones:>7.1}"),
            None => format!("{:>9} {:>7}", "-", "-"),
        };
        println!("{name:<36} {:>8} {copy:>9.1} {write} {read} {clones}", bytes.len());
    }

    fn foot(&self) {
        println!("\nMore than {TARGET} copies of the bytes:");
        for slow in self.slow.borrow().iter() {
            println!("  {slow}");
        }
    }

    fn value<T: Encode + Clone + for<'a> Decode<'a>>(&self, name: &str, value: &T) {
        if !self.selects(name) {
            return;
        }
        let bytes = peers_wire::to_vec(value).unwrap();
        let mut out = Vec::with_capacity(STARTS[1] + bytes.len());
        let write = STARTS.map(|start| {
            out.resize(start, 0);
            nanos(|| {
                out.truncate(start);
                append(&mut out, black_box(value)).unwrap();
                black_box(&out);
            })
        });
        let read = nanos(|| {
            black_box(from_slice::<T>(black_box(&bytes)).ok());
        });
        let clone = nanos(|| {
            black_box(black_box(value).clone());
        });
        self.row(name, &bytes, Some(write[0].min(write[1])), Some(read), Some(clone));
    }

    fn frames(
        &self,
        name: &str,
        bytes: &[u8],
        write: Option<&mut dyn FnMut()>,
        read: Option<&mut dyn FnMut()>,
    ) {
        if self.selects(name) {
            self.row(name, bytes, write.map(nanos), read.map(nanos), None);
        }
    }
}

/// As `rpcc` makes them.
macro_rules! structs {
    ($($name:ident { $($field:ident: $ty:ty),* })*) => {$(
        #[derive(Clone)]
        struct $name { $($field: $ty),* }

        impl Encode for $name {
            fn encode(&self, w: &mut Writer<'_>) {
                w.structure(|w| { $(w.write(&self.$field);)* });
            }
        }

        impl<'a> Decode<'a> for $name {
            const MIN_SIZE: usize = 4;

            fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
                let mut r = r.structure()?;
                Ok(Self { $($field: r.read()?),* })
            }
        }
    )*};
}

structs! {
    QueryId { high: u64, low: u64 }
    Findings { values: BTreeSet<String>, requests: u64, exhausted: bool, broken: bool }
    Place { name: String, height: Option<i32>, country: Option<String> }
}

/// Text of `length` bytes that begins with a number.
fn text(number: usize, length: usize) -> String {
    format!("{number:04}{}", "x".repeat(length - 4))
}

/// Arguments and results of the applications and the tutorial.
fn typical(table: &Table) {
    let (key, value) = (text(0, 16), text(0, 32));
    let ids: Vec<_> = (0..16).map(|number| text(number, 20 + number)).collect();
    let place = Place { name: text(0, 9), height: Some(540), country: Some(text(0, 11)) };
    let values = (0..16).map(|number| text(number, 32)).collect();
    let findings = Findings { values, requests: 40, exhausted: false, broken: false };
    let id = QueryId { high: 7, low: 8 };
    table.value("registry.get: string of 16", &(key.clone(),));
    table.value("registry.get -> string of 32", &value);
    table.value("registry.put: (string, string)", &(key.clone(), value.clone()));
    table.value("p2p.get: (string, 16 ids)", &(key.clone(), ids));
    table.value("p2p.search: (string, struct, u32)", &(key, id, 7u32));
    table.value("p2p.search -> struct with 16 values", &findings);
    table.value("numbers.GCD: (bytes, bytes) of 256", &(vec![7u8; 256], vec![9u8; 256]));
    table.value("numbers.is_prime -> bool", &true);
    table.value("weather.measure: struct of 3", &place);
    table.value("weather.history -> 30 f64", &vec![0.5f64; 30]);
    table.value("list<u64> of 16", &(0..16u64).collect::<Vec<_>>());
    let pairs: BTreeMap<_, _> =
        (0..16).map(|number| (text(number, 16), text(number, 32))).collect();
    table.value("map<string,string> of 16", &pairs);
    table.value("bytes, 4 KiB", &vec![7u8; 4 << 10]);
    table.value("bytes, 1 MiB", &vec![7u8; 1 << 20]);
}

/// Measures what else there is, and more of it.
fn types(table: &Table) {
    let key = "0123456789abcdef".to_owned();
    table.value("u64", &7u64);
    table.value("(u8, u16, u32, u64, bool)", &(1u8, 2u16, 3u32, 4u64, true));
    table.value("option<u32>", &Some(7u32));
    table.value("list<u16> of 1,000", &(0..1_000u16).collect::<Vec<_>>());
    table.value("list<u32> of 1,000", &(0..1_000u32).collect::<Vec<_>>());
    table.value("list<u64> of 1,000", &(0..1_000u64).collect::<Vec<_>>());
    table.value("list<string> of 1,000", &vec![key.clone(); 1_000]);
    table.value("list<(u32,bool)> of 1,000", &vec![(7u32, true); 1_000]);
    let pairs: BTreeMap<u32, u32> = (0..1_000).map(|number| (number, number)).collect();
    table.value("map<u32,u32> of 1,000", &pairs);
    table.value("bytes, 64 KiB", &vec![7u8; 64 << 10]);
    let fields = vec![("x".to_owned(), Value::from(3)), ("y".to_owned(), Value::from(4))];
    let record = Value::from(Record { name: "point".to_owned(), fields });
    table.value("value: a record", &record);
    table.value("value: 1,000 records", &Value::from(vec![record; 1_000]));
}

fn frames(table: &Table) {
    let key = "0123456789abcdef";
    let head = CallHead { remaining_ms: 30_000, depth: 1, ..CallHead::new(7) };
    let traced = CallHead { trace: Some(Trace { root: 1, parent: 2 }), ..head };
    for (name, head) in [("call get(16 bytes), borrowed", head), ("the same, traced", traced)] {
        let (mut out, mut stream) = (Vec::new(), Vec::new());
        put_call(&mut stream, limits::FRAME, 1, &head, &(key,)).unwrap();
        let mut write = || {
            out.clear();
            put_call(&mut out, limits::FRAME, 1, black_box(&head), &(black_box(key),)).unwrap();
            black_box(&out);
        };
        let mut deframer = Deframer::new(limits::FRAME);
        let mut read = || {
            let mut input = black_box(stream.as_slice());
            let frame = deframer.next(&mut input).unwrap().unwrap();
            let Ok(Message::Call { mut args, .. }) = Message::decode(&frame) else { return };
            black_box(args.read::<(&str,)>().ok());
        };
        table.frames(name, &stream, Some(&mut write), Some(&mut read));
    }

    let (mut out, mut stream) = (Vec::new(), Vec::new());
    put_call(&mut stream, limits::FRAME, 1, &head, &(key,)).unwrap();
    let mut args = Vec::new();
    let mut through_memory = || {
        out.clear();
        args.clear();
        append(&mut args, &(black_box(key),)).unwrap();
        put_call(&mut out, limits::FRAME, 1, black_box(&head), &Encoded(&args)).unwrap();
        black_box(&out);
    };
    table.frames("call from memory", &stream, Some(&mut through_memory), None);
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
    let mut write = || {
        black_box(replies());
    };
    table.frames("256 replies", &calls[..size], Some(&mut write), None);
    for (name, segment) in [("256 calls, one segment", usize::MAX), ("the same, 60 bytes each", 60)]
    {
        let mut deframer = Deframer::new(limits::FRAME);
        let mut read = || {
            for mut input in black_box(calls).chunks(segment) {
                while let Some(frame) = deframer.next(&mut input).unwrap() {
                    black_box(&frame);
                }
            }
        };
        table.frames(name, calls, None, Some(&mut read));
    }
}

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let table = Table { filter, slow: RefCell::default() };
    table.head();
    typical(&table);
    types(&table);
    frames(&table);
    table.foot();
}
