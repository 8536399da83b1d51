//! Lines leave the process without anybody waiting for their reader, and none is missing unsaid.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_kernel::Lines;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, PipeReader, Read as _, pipe};
use std::time::Duration;

/// Longer than anything takes here, however busy the machine is.
const LONG: Duration = Duration::from_secs(60);
/// For what never comes to an end by itself.
const SHORT: Duration = Duration::from_millis(50);

fn read_lines(from: PipeReader) -> Vec<String> {
    BufReader::new(from).lines().map(Result::unwrap).collect()
}

/// The number in a line that stands for missing ones.
fn missing(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(": ")?;
    let (count, _) = rest.split_once(" line")?;
    line.contains("missing here").then(|| count.parse().unwrap())
}

#[test]
fn a_short_line_is_in_its_pipe_at_once() {
    let (mut reader, writer) = pipe().unwrap();
    let lines = Lines::new(&writer).unwrap();
    for text in ["one\n", "two\n"] {
        lines.put(text);
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, text.as_bytes());
    }
}

#[test]
fn a_short_line_is_in_its_file_at_once() {
    let path = std::env::temp_dir().join(format!("peers-lines-{}", std::process::id()));
    let lines = Lines::new(std::fs::File::create(&path).unwrap()).unwrap();
    for (text, all) in [("one\n", "one\n"), ("two\n", "one\ntwo\n")] {
        lines.put(text);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), all);
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_pipe_that_nobody_reads_stops_nobody_and_its_lines_are_counted() {
    let (reader, writer) = pipe().unwrap();
    let lines = Lines::new(&writer).unwrap();
    const COUNT: u64 = 40_000;
    for n in 0..COUNT {
        lines.put(&format!("{n:>60}\n")); // 2.4 MB, of which a pipe holds 64 KiB
    }
    let dropped = lines.missing();
    assert!(dropped > COUNT / 2 && dropped < COUNT, "{dropped}");
    assert!(!lines.flush(SHORT), "nobody reads");

    let reading = std::thread::spawn(move || read_lines(reader));
    assert!(lines.flush(LONG));
    lines.put("the end\n");
    assert!(lines.flush(LONG));
    drop((lines, writer));
    let read = reading.join().unwrap();
    let (last, rest) = read.split_last().unwrap();
    assert_eq!(last, "the end");
    // If the writer began late, lines were missing before others found room: each gap is told.
    let mut next = 0;
    for line in rest {
        match missing(line) {
            Some(gap) => next += gap,
            None => {
                assert_eq!(line.trim(), next.to_string(), "whole and in order");
                next += 1;
            }
        }
    }
    assert_eq!(next, COUNT);
    assert_eq!(rest.iter().filter_map(|line| missing(line)).sum::<u64>(), dropped);
}

#[test]
fn the_number_of_missing_lines_stands_where_they_would() {
    let (mut reader, writer) = pipe().unwrap();
    let lines = Lines::new(&writer).unwrap();
    let line = |length| format!("{}\n", "w".repeat(length));
    lines.put(&line(100_000)); // more than a pipe holds
    reader.read_exact(&mut [0]).unwrap(); // so it is with the writer
    for length in [200_000, 100_000, 10] {
        lines.put(&line(length)); // the second finds no room, and the third comes behind it
    }
    let reading = std::thread::spawn(move || read_lines(reader));
    assert!(lines.flush(LONG));
    lines.put(&line(300_000)); // never has room
    lines.put("the end\n");
    assert!(lines.flush(LONG));
    assert_eq!(lines.missing(), 3);
    drop((lines, writer));
    let read = reading.join().unwrap();
    let shown: Vec<(usize, Option<u64>)> =
        read.iter().map(|line| (line.trim_matches(|c| c != 'w').len(), missing(line))).collect();
    let lengths = |at: usize| shown[at].0;
    assert_eq!((lengths(0), lengths(1)), (99_999, 200_000));
    assert_eq!((shown[2].1, shown[3].1, read[4].as_str()), (Some(2), Some(1), "the end"));
}

#[test]
fn a_line_that_fills_the_queue_is_taken_and_one_that_is_longer_is_not() {
    const QUEUE: usize = 256 << 10;
    for (length, missing) in [(QUEUE, 0), (QUEUE + 1, 1)] {
        let (mut reader, writer) = pipe().unwrap();
        let lines = Lines::new(&writer).unwrap();
        let line = |length| format!("{}\n", "w".repeat(length - 1));
        lines.put(&line(100_000)); // more than a pipe holds
        reader.read_exact(&mut [0]).unwrap(); // so it is with the writer, and the queue is empty
        lines.put(&line(length));
        assert_eq!(lines.missing(), missing, "{length} bytes");
        let reading = std::thread::spawn(move || read_lines(reader));
        assert!(lines.flush(LONG));
        drop((lines, writer));
        assert_eq!(reading.join().unwrap().len(), 2 - missing as usize);
    }
}

#[test]
fn lines_of_many_threads_stay_whole() {
    let (reader, writer) = pipe().unwrap();
    let lines = Lines::new(&writer).unwrap();
    let reading = std::thread::spawn(move || read_lines(reader));
    let putting = (0..4).map(|thread| {
        let lines = lines.clone();
        std::thread::spawn(move || {
            for n in 0..200 {
                lines.put(&format!("{thread} {n} {}\n", "x".repeat(n * 40)));
                assert!(lines.flush(LONG));
            }
        })
    });
    let putting: Vec<_> = putting.collect();
    putting.into_iter().for_each(|thread| thread.join().unwrap());
    drop((lines, writer));
    let read = reading.join().unwrap();
    assert_eq!(read.len(), 800);
    for thread in 0..4 {
        let of_thread = read.iter().filter(|line| line.starts_with(&format!("{thread} ")));
        for (n, line) in of_thread.enumerate() {
            assert_eq!(*line, format!("{thread} {n} {}", "x".repeat(n * 40)));
        }
    }
}

#[test]
fn a_pipe_that_others_made_non_blocking_gets_everything() {
    let (reader, writer) = pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let lines = Lines::new(&writer).unwrap();
    let long = format!("{}\n", "y".repeat(100_000));
    lines.put(&long);
    lines.put(&long);
    let reading = std::thread::spawn(move || read_lines(reader));
    assert!(lines.flush(LONG));
    drop((lines, writer));
    assert_eq!(reading.join().unwrap(), [long.trim_end(), long.trim_end()]);
}

#[test]
fn a_reader_that_has_gone_is_no_loss() {
    let (reader, writer) = pipe().unwrap();
    let before = Lines::new(&writer).unwrap();
    drop(reader);
    let after = Lines::new(&writer).unwrap();
    for lines in [before, after] {
        for length in [10, 100_000] {
            lines.put(&format!("{}\n", "z".repeat(length)));
            assert!(lines.flush(LONG));
        }
        assert_eq!(lines.missing(), 0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_counted() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let lines = Lines::new(&full).unwrap();
    for count in 1..=3 {
        lines.put("a line\n");
        assert!(lines.flush(LONG));
        assert_eq!(lines.missing(), count);
    }
}
