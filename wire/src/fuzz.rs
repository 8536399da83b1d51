//! What the fuzz targets run, and the tests with a seeded corpus too: hostile bytes go in, nothing
//! may panic, and what was read must be written again as it was. Corpora and mutation live outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use crate::{Decode, Deframer, Encode, Error, Frame, Kind, Message, Reader, Value};
use crate::{from_slice, limits, to_vec};

/// Reads `data` as a stream of frames, once as a whole and once cut into segments whose size is the
/// first byte.
///
/// # Panics
/// If the two differ, or a message that was read cannot be written again.
pub fn frame(data: &[u8]) {
    let Some((&size, stream)) = data.split_first() else { return };
    let whole = frames(std::iter::once(stream));
    let segments = frames(stream.chunks(usize::from(size).max(1)));
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

type Read = (Vec<(Kind, u8, u64, Vec<u8>)>, Option<Error>, usize);

fn frames<'a>(segments: impl Iterator<Item = &'a [u8]>) -> Read {
    let mut deframer = Deframer::new(limits::FRAME_BEFORE_HELLO);
    let mut frames = Vec::new();
    for mut segment in segments {
        loop {
            match deframer.next(&mut segment) {
                Ok(Some(frame)) => {
                    frames.push((frame.kind, frame.flags, frame.call, frame.body.to_vec()));
                }
                Ok(None) => break,
                Err(error) => return (frames, Some(error), 0),
            }
        }
    }
    let pending = deframer.pending();
    (frames, None, pending)
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
