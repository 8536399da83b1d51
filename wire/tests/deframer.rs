//! How a stream is cut into segments never shows: not in frames, not in errors, not in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Numbers, vector, vectors};
use peers_wire::{
    CallHead, Deframer, Encoded, Error, HEADER, Kind, PREAMBLE, Ping, PreambleReader, Sniffed,
    Trace, limits, put_call, put_event, put_reply, put_request, sniff,
};

type Read = (Vec<(Kind, u8, u64, Vec<u8>)>, Option<Error>);

/// Reads a stream that comes in segments.
fn read<'a>(segments: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut deframer = Deframer::new(limits::FRAME);
    let mut frames = Vec::new();
    for mut segment in segments {
        loop {
            match deframer.next(&mut segment) {
                Ok(Some(frame)) => {
                    frames.push((frame.kind, frame.flags, frame.call, frame.body.to_vec()));
                }
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(segment.is_empty(), "all was taken");
    }
    (frames, None)
}

/// All good frames in a row.
fn stream() -> Vec<u8> {
    vectors()
        .into_iter()
        .filter(|vector| vector.kind.starts_with("frame") && vector.error.is_none())
        .flat_map(|vector| vector.bytes)
        .collect()
}

#[test]
fn a_stream_is_the_same_however_it_is_cut() {
    let stream = stream();
    let whole = read([stream.as_slice()]);
    assert_eq!((whole.0.len(), &whole.1), (16, &None));
    for size in 1..=stream.len() {
        assert_eq!(read(stream.chunks(size)), whole, "segments of {size} bytes");
    }
    for at in 0..=stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(read([head, tail]), whole, "split at {at}");
    }
    let mut numbers = Numbers(0x5eed);
    for round in 0..200 {
        let mut rest = stream.as_slice();
        let mut segments = Vec::new();
        while !rest.is_empty() {
            let (segment, after) = rest.split_at(numbers.below(40).min(rest.len()));
            segments.push(segment);
            rest = after;
        }
        assert_eq!(read(segments), whole, "round {round}");
    }
}

/// A frame that lies whole in the input is read by the first branch, one in pieces never is.
#[test]
fn headers_are_judged_alike_whole_or_in_pieces() {
    let head = CallHead::new(7);
    let (mut reply, mut call, mut event) = (Vec::new(), Vec::new(), Vec::new());
    put_reply(&mut reply, limits::FRAME, 1, "a planet without water").unwrap();
    put_request(&mut call, Some(1), &head, b"dune", 0);
    put_request(&mut event, None, &head, b"dune", 0);
    for frame in [reply, call, event] {
        for at in 0..HEADER {
            for byte in 0..=u8::MAX {
                let mut bytes = frame.clone();
                bytes[at] = byte;
                let whole = read([bytes.as_slice()]);
                assert_eq!(read(bytes.chunks(15)), whole, "{byte} at {at}");
            }
        }
    }
}

#[test]
fn a_bad_frame_is_found_at_its_header_however_it_is_cut() {
    for vector in vectors().iter().filter(|vector| vector.kind == "frame") {
        let stream = [stream(), vector.bytes.clone()].concat();
        let whole = read([stream.as_slice()]);
        for size in [1, 2, 7, HEADER, HEADER + 1] {
            assert_eq!(read(stream.chunks(size)), whole, "{}", vector.name);
        }
    }
    let too_large = vector("bad-too-large").bytes;
    assert_eq!(too_large.len(), HEADER);
    let (frames, error) = read(too_large.chunks(1));
    assert!(frames.is_empty() && matches!(error, Some(Error::FrameTooLarge { .. })));
}

#[test]
fn an_error_stays() {
    let bad = vector("bad-kind").bytes;
    let mut deframer = Deframer::new(limits::FRAME);
    let (mut head, mut tail) = bad.split_at(5);
    assert_eq!(deframer.next(&mut head), Ok(None));
    let expected = Err(Error::UnknownKind { found: 12 });
    assert_eq!(deframer.next(&mut tail), expected);
    assert_eq!(deframer.next(&mut [].as_slice()), expected);
    assert_eq!(deframer.next(&mut stream().as_slice()), expected);
}

#[test]
fn whole_frames_are_borrowed_and_pending_counts_what_is_kept() {
    let mut stream = Vec::new();
    put_reply(&mut stream, limits::FRAME, 1, "dune").unwrap();
    let total = stream.len();
    Ping { number: 2 }.put(&mut stream);

    let mut deframer = Deframer::new(limits::FRAME);
    let mut input = stream.as_slice();
    let frame = deframer.next(&mut input).unwrap().unwrap();
    assert!(std::ptr::eq(frame.body, &stream[HEADER..total]), "not a copy");
    assert_eq!(deframer.pending(), 0);

    let mut part = &input[..3];
    assert_eq!(deframer.next(&mut part), Ok(None));
    assert_eq!(deframer.pending(), 3);
    let mut rest = &input[3..];
    assert_eq!(deframer.next(&mut rest).unwrap().unwrap().call, 2);
    assert_eq!(deframer.pending(), 0);
}

#[test]
fn the_limit_can_change_between_frames() {
    let mut stream = Vec::new();
    put_reply(&mut stream, u32::MAX, 1, &[7u8; 5000][..]).unwrap();
    let mut deframer = Deframer::new(limits::FRAME_BEFORE_HELLO);
    let refused = deframer.next(&mut stream.as_slice());
    let (length, limit) = (5004, limits::FRAME_BEFORE_HELLO);
    assert_eq!(refused, Err(Error::FrameTooLarge { length, limit }));
    deframer.set_limit(5004);
    assert!(deframer.next(&mut stream.as_slice()).unwrap().is_some());
    deframer.set_limit(5003);
    assert!(deframer.next(&mut stream.as_slice()).is_err());
}

#[test]
fn a_large_frame_in_small_segments_is_one_frame() {
    let bytes: Vec<u8> = (0..1_000_000u32).map(|number| number.to_be_bytes()[3]).collect();
    let mut stream = Vec::new();
    put_call(&mut stream, limits::FRAME, 9, &CallHead::new(1), &(bytes.as_slice(),)).unwrap();
    stream.extend_from_within(..);
    let (frames, error) = read(stream.chunks(1460));
    assert_eq!((frames.len(), error), (2, None));
    assert!(frames[1].3.ends_with(&bytes));
}

#[test]
fn the_preamble_is_read_however_it_is_cut() {
    let stream = [&PREAMBLE[..], b"rest"].concat();
    for at in 0..=stream.len() {
        let (mut head, mut tail) = stream.split_at(at);
        let mut reader = PreambleReader::new();
        let done = reader.read(&mut head).unwrap();
        assert_eq!(done, at >= PREAMBLE.len());
        assert_eq!(reader.is_partial(), at > 0 && !done);
        assert_eq!(reader.read(&mut tail), Ok(true));
        assert_eq!([head, tail].concat(), b"rest");
    }
    let mut byte = &b"S"[..];
    let error = PreambleReader::new().read(&mut byte).unwrap_err();
    assert!(matches!(error, Error::Foreign(_)), "known at the first byte");
}

#[test]
fn foreign_openings_are_named_in_words() {
    let openings: [(&[u8], &str); 12] = [
        (b"POST /rpc HTTP/1.1\r\n", "an HTTP request"),
        (b"HTTP/1.0 400 Bad", "an HTTP response"),
        (b"PRI * HTTP/2.0\r\n\r\n", "an HTTP/2 or gRPC client"),
        (b"\x16\x03\x03\x00\xf4\x01\x00", "a TLS hello"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "an SSH banner"),
        (b"*1\r\n$4\r\nPING\r\n", "Redis"),
        (b"PING\r\n", "Redis"),
        (b"220 mail.example ESMTP", "SMTP or FTP"),
        (b"EHLO example.org\r\n", "SMTP or FTP"),
        (b"\x1b[31m\r\nspoofed", "garbage"),
        (b"\x89PNG\r\n\x1a\n", "garbage"),
        (b"\x00", "garbage"),
    ];
    for (opening, words) in openings {
        let mut input = opening;
        let error = PreambleReader::new().read(&mut input).unwrap_err();
        let text = error.to_string();
        let expected = format!("not this protocol: looks like {words}: ");
        assert!(text.starts_with(&expected), "{text}");
        assert!(text.len() < 120 && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        let Error::Foreign(opening) = error else { panic!("{error:?}") };
        assert_eq!(sniff(opening.bytes()), opening.looks_like());
    }
    assert_eq!(sniff(&PREAMBLE), Sniffed::Peers);
    assert_eq!(sniff(&[]), Sniffed::Unknown);
}

#[test]
fn memory_for_frames_in_pieces_passes_through_the_callers_hands() {
    let mut stream = Vec::new();
    for call in 1..=3 {
        put_reply(&mut stream, u32::MAX, call, &Encoded(&[call as u8; 5_000])).unwrap();
    }
    let (mut deframer, mut spare) = (Deframer::new(10_000), Vec::with_capacity(8_000));
    let place = spare.as_ptr();
    let mut calls = Vec::new();
    for segment in stream.chunks(1_000) {
        let mut input = segment;
        while let Some(frame) = deframer.next_with(&mut input, &mut spare).unwrap() {
            assert!(frame.body.iter().all(|byte| u64::from(*byte) == frame.call));
            calls.push(frame.call);
        }
    }
    assert_eq!(calls, [1, 2, 3]);
    assert_eq!((spare.as_ptr(), spare.capacity()), (place, 8_000), "nothing else was needed");
}

/// Reads a stream as a connection does: what the deframer lends is filled, at most `most()` bytes
/// at a time. Also tells how often it lent.
fn read_lending(stream: &[u8], mut most: impl FnMut() -> usize) -> (Read, usize) {
    let (mut deframer, mut spare) = (Deframer::new(limits::FRAME), Vec::new());
    let (mut frames, mut rest, mut lent) = (Vec::new(), stream, 0);
    while !rest.is_empty() {
        let (mut segment, arrived): (&[u8], _) = (&[], stream.len() - rest.len());
        if let Some(mut block) = deframer.lend() {
            assert!(block.capacity() > block.len() && block.capacity() <= 2 * arrived);
            let room = block.capacity() - block.len();
            let (bytes, after) = rest.split_at(most().min(room).min(rest.len()));
            block.extend_from_slice(bytes);
            deframer.give_back(block);
            (rest, lent) = (after, lent + 1);
        } else {
            (segment, rest) = rest.split_at(most().min(64 << 10).min(rest.len()));
        }
        while let Some(frame) = deframer.next_with(&mut segment, &mut spare).unwrap() {
            frames.push((frame.kind, frame.flags, frame.call, frame.body.to_vec()));
        }
        assert!(segment.is_empty(), "all was taken");
    }
    assert_eq!(deframer.pending(), 0);
    ((frames, None), lent)
}

#[test]
fn lending_never_shows_in_the_frames() {
    let mut numbers = Numbers(0x1e4d);
    for round in 0..50 {
        let mut stream = Vec::new();
        for call in 1..20 {
            let size = [10, 1_000, 40_000, 70_000, 500_000][numbers.below(5)];
            let bytes: Vec<u8> = (0..numbers.below(size)).map(|at| (at >> 3) as u8).collect();
            put_reply(&mut stream, u32::MAX, call, &Encoded(&bytes)).unwrap();
        }
        let whole = read([stream.as_slice()]);
        assert_eq!(whole.0.len(), 19);
        for most in [1_000, 50_000, 1 << 20] {
            assert!(read_lending(&stream, || 1 + numbers.below(most)).0 == whole, "round {round}");
        }
    }
}

#[test]
fn messages_of_64_kib_are_read_a_quarter_of_a_megabyte_at_a_time() {
    let mut stream = Vec::new();
    for call in 0..160 {
        put_reply(&mut stream, u32::MAX, call, &[7u8; 65_536][..]).unwrap();
    }
    let (read, lent) = read_lending(&stream, || usize::MAX);
    assert_eq!(read.0.len(), 160);
    assert!(lent < 55, "{lent} reads for 160 messages");
}

#[test]
fn a_promise_alone_is_lent_nothing() {
    let mut stream = Vec::new();
    put_reply(&mut stream, u32::MAX, 1, &[7u8; 0x3f_0000][..]).unwrap();
    let mut deframer = Deframer::new(limits::FRAME);
    for mut segment in stream[..16_000].chunks(1_000) {
        assert_eq!(deframer.next(&mut segment), Ok(None));
        assert_eq!(deframer.lend(), None, "reading so little by itself does not pay");
    }
    assert_eq!(deframer.next(&mut &stream[16_000..20_000]), Ok(None));
    let block = deframer.lend().unwrap();
    assert_eq!(block, stream[..20_000]);
    assert!(block.capacity() <= 40_000);
    deframer.give_back(block);
    assert_eq!(deframer.pending(), 20_000);
}

/// A frame of each kind that can have a run: with `length` said of `bytes` bytes, before `more`
/// others.
fn frames_with_runs(bytes: usize, length: u32, more: usize) -> Vec<Vec<u8>> {
    let mut value = length.to_be_bytes().to_vec();
    value.extend((0..bytes).map(|at| (at >> 3) as u8));
    value.resize(value.len() + more, 9);
    let (mut plain, mut traced) = (CallHead::new(7), CallHead::new(8));
    plain.remaining_ms = 5;
    traced.trace = Some(Trace { root: 1, parent: 2 });
    let mut frames = vec![Vec::new(); 4];
    put_reply(&mut frames[0], u32::MAX, 3, &Encoded(&value)).unwrap();
    put_call(&mut frames[1], u32::MAX, 4, &plain, &Encoded(&value)).unwrap();
    put_call(&mut frames[2], u32::MAX, 5, &traced, &Encoded(&value)).unwrap();
    put_event(&mut frames[3], u32::MAX, &plain, &Encoded(&value)).unwrap();
    frames
}

/// Bytes of a run that is kept apart.
const RUN: usize = 300_000;

#[test]
fn a_run_is_kept_apart_wherever_the_frame_is_cut() {
    for frame in frames_with_runs(RUN, RUN as u32, 0) {
        let front = frame.len() - RUN;
        for cut in [front, front + 1, front + 4_000, 65_536, frame.len() - 1] {
            let (mut deframer, mut spare) = (Deframer::new(limits::FRAME), Vec::new());
            assert_eq!(deframer.next(&mut &frame[..cut]), Ok(None));
            let memory = Vec::with_capacity(RUN);
            let place = memory.as_ptr();
            let asked = |bytes| {
                assert_eq!(bytes, RUN);
                Some(memory)
            };
            let (lent, mut run) = deframer.lend_run(&mut spare, asked).unwrap();
            assert_eq!((lent.len(), lent.run(), deframer.pending()), (front, RUN, 0));
            assert_eq!((run.as_ptr(), &run[..]), (place, &frame[front..cut]));
            assert!(spare.capacity() >= cut, "what the beginning was in");
            run.extend_from_slice(&frame[cut..]);

            let whole = read([&frame[..]]);
            let (kind, flags, call, body) = &whole.0[0];
            let apart = lent.frame();
            assert_eq!((apart.kind, apart.flags, apart.call), (*kind, *flags, *call));
            assert_eq!(apart.body, &body[..body.len() - RUN]);
            assert!([apart.body, &run[..]].concat() == *body);
        }
    }
}

#[test]
fn memory_is_asked_for_only_where_the_frame_ends_with_the_run() {
    let wrong = [(RUN as u32 - 1, 0), (RUN as u32 + 1, 0), (RUN as u32, 1), (0, 0), (u32::MAX, 0)];
    for (length, more) in wrong {
        for frame in frames_with_runs(RUN, length, more) {
            let mut deframer = Deframer::new(limits::FRAME);
            assert_eq!(deframer.next(&mut &frame[..65_536]), Ok(None));
            let lent = deframer.lend_run(&mut Vec::new(), |_| panic!("it is no run"));
            assert_eq!((lent, deframer.pending()), (None, 65_536));
        }
    }
    for frame in frames_with_runs(RUN, RUN as u32, 0) {
        for cut in [1, HEADER, frame.len() - RUN - 1] {
            let mut deframer = Deframer::new(limits::FRAME);
            assert_eq!(deframer.next(&mut &frame[..cut]), Ok(None));
            let lent = deframer.lend_run(&mut Vec::new(), |_| panic!("its length is not there"));
            assert_eq!(lent, None);
        }
        let mut deframer = Deframer::new(limits::FRAME);
        assert_eq!(deframer.next(&mut &frame[..65_536]), Ok(None));
        for room in [None, Some(RUN - 1)] {
            let lent = deframer.lend_run(&mut Vec::new(), |_| room.map(Vec::with_capacity));
            assert_eq!((lent, deframer.pending()), (None, 65_536), "there is too little");
        }
    }
    for frame in frames_with_runs(200_000, 200_000, 0) {
        let mut deframer = Deframer::new(limits::FRAME);
        assert_eq!(deframer.next(&mut &frame[..65_536]), Ok(None));
        assert_eq!(deframer.lend_run(&mut Vec::new(), |_| panic!("it is small")), None);
    }
    assert_eq!(Deframer::new(9).lend_run(&mut Vec::new(), |_| panic!("nothing is owed")), None);
}
