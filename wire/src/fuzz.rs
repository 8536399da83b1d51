//! Reads hostile bytes, for the fuzz targets and for tests with a seeded corpus: hostile bytes go
//! in, nothing may panic, and what was read must be written again as it was. Corpora and mutation
//! live outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use crate::frame::WORTH_KEEPING_APART;
use crate::{Decode, Deframer, Encode, Error, Frame, HEADER, Kind, Message, Reader, Value};
use crate::{from_slice, limits, to_vec};

/// Reads `data` as a stream of frames, once as a whole and once cut into segments whose size is the
/// first byte. If that is [`RUN`], the stream is made one that begins with a large frame.
///
/// # Panics
/// If the two differ, or a message that was read cannot be written again.
pub fn frame(data: &[u8]) {
    let Some((&size, stream)) = data.split_first() else { return };
    if size == RUN {
        return run(stream);
    }
    let limit = limits::FRAME_BEFORE_HELLO;
    let whole = frames(limit, std::iter::once(stream));
    let segments = frames(limit, stream.chunks(size.into()));
    assert_eq!(whole, segments, "segments must not show");
    for (kind, flags, call, body) in &whole.0 {
        message(&Frame { kind: *kind, flags: *flags, call: *call, body });
    }
}

/// Reads `data` as values of several types.
///
/// # Panics
/// If a value that was read is written differently.
pub fn value(data: &[u8]) {
    if let Ok(value) = from_slice::<Value>(data) {
        assert_eq!(to_vec(&value).as_deref(), Ok(data), "values have one spelling");
        let printed = value.to_string();
        assert!(!printed.contains(char::is_control), "printed values are harmless");
    }
    exact::<Vec<(bool, Option<String>)>>(data);
    exact::<(u8, i16, Vec<u32>, Option<Box<i64>>)>(data);
    exact::<Vec<Vec<()>>>(data);
    sorted::<BTreeSet<String>>(data);
    sorted::<BTreeMap<Vec<u8>, Vec<Vec<i8>>>>(data);
}

/// The first byte of data for frames with a run.
pub const RUN: u8 = 0;

/// Puts a run of many bytes behind the beginning of `data`, so that they are a large frame if that
/// can be the front of one, and the rest of `data` behind them. Reads that as a whole; and in two
/// pieces, with the run apart from the first one on. The first two bytes say where the pieces part
/// and what the front is.
fn run(data: &[u8]) {
    let Some((&[cut, choice], stream)) = data.split_first_chunk::<2>() else { return };
    let Some((header, rest)) = stream.split_first_chunk::<HEADER>() else { return };
    let head = [0, 16, 32][usize::from(choice % 3)];
    let Some((head, rest)) = rest.split_at_checked(head) else { return };
    let length = u32::try_from(WORTH_KEEPING_APART).expect("it is a constant");
    let announced = length + u32::from(choice >> 7);
    let mut stream = (head.len() as u32 + 4 + length).to_be_bytes().to_vec();
    stream.extend_from_slice(&header[4..]);
    stream.extend_from_slice(head);
    stream.extend(announced.to_be_bytes());
    let cut = stream.len() + usize::from(cut) * (WORTH_KEEPING_APART / 256);
    stream.extend((0..length).map(|at| (at >> 3) as u8));
    stream.extend_from_slice(rest);

    let whole = frames(limits::FRAME, std::iter::once(&stream[..]));
    let pieces = stream.split_at(cut);
    assert!(whole == frames_apart(pieces), "what is kept apart must not show");
}

type Read = (Vec<(Kind, u8, u64, Vec<u8>)>, Option<Error>, usize);

fn frames<'a>(limit: u32, segments: impl Iterator<Item = &'a [u8]>) -> Read {
    let (mut deframer, mut read) = (Deframer::new(limit), Read::default());
    for segment in segments {
        read_segment(&mut deframer, segment, &mut read);
    }
    read
}

/// Reads the two pieces of a stream, and the rest of a run that is owed behind the first one into
/// memory of its own.
fn frames_apart((first, mut second): (&[u8], &[u8])) -> Read {
    let (mut deframer, mut read) = (Deframer::new(limits::FRAME), Read::default());
    read_segment(&mut deframer, first, &mut read);
    let memory = |bytes| Some(Vec::with_capacity(bytes));
    if let Some((front, mut run)) = deframer.lend_run(&mut Vec::new(), memory) {
        let (more, behind) = second.split_at(front.run() - run.len());
        run.extend_from_slice(more);
        second = behind;
        let Frame { kind, flags, call, body } = front.frame();
        read.0.push((kind, flags, call, [body, &run].concat()));
    }
    read_segment(&mut deframer, second, &mut read);
    read
}

/// Reads what is in a segment, unless the stream could not be read before.
fn read_segment(deframer: &mut Deframer, mut segment: &[u8], (frames, end, pending): &mut Read) {
    while end.is_none() {
        match deframer.next(&mut segment) {
            Ok(Some(frame)) => {
                frames.push((frame.kind, frame.flags, frame.call, frame.body.to_vec()));
            }
            Ok(None) => {
                *pending = deframer.pending();
                return;
            }
            Err(error) => {
                *pending = 0;
                *end = Some(error);
            }
        }
    }
}

/// Writes what was read and reads it again: fields of later versions are lost, nothing else.
fn message(frame: &Frame<'_>) {
    let mut out = Vec::new();
    match Message::decode(frame) {
        Ok(Message::Hello(hello)) => hello.put(&mut out),
        Ok(Message::Exception { call, exception }) => {
            exception.put(&mut out, limits::FRAME, call).expect("it fitted a frame");
        }
        Ok(Message::Refused { call, refused }) => refused.put(&mut out, call),
        Ok(Message::Bye(bye)) => bye.put(&mut out),
        Ok(Message::Call { args, .. } | Message::Event { args, .. }) => return arguments(args),
        Ok(Message::Reply { value, .. }) => return arguments(value),
        Ok(_) | Err(_) => return,
    }
    let mut input = out.as_slice();
    let mut deframer = Deframer::new(limits::FRAME);
    let again = deframer.next(&mut input).expect("it was written").expect("as a whole");
    let (before, after) = (Message::decode(frame), Message::decode(&again));
    assert_eq!(format!("{before:?}"), format!("{after:?}"), "messages survive");
}

fn arguments(args: Reader<'_>) {
    value(args.rest());
}

fn exact<T: for<'a> Decode<'a> + Encode + Debug>(data: &[u8]) {
    if let Ok(value) = from_slice::<T>(data) {
        assert_eq!(to_vec(&value).as_deref(), Ok(data), "{value:?} has one spelling");
    }
}

fn sorted<T: for<'a> Decode<'a> + Encode + Debug + PartialEq>(data: &[u8]) {
    if let Ok(value) = from_slice::<T>(data) {
        let bytes = to_vec(&value).expect("it was read");
        assert_eq!(bytes.len(), data.len(), "{value:?} keeps its size");
        assert_eq!(from_slice(&bytes), Ok(value), "and its elements");
    }
}
