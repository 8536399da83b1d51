//! Promise: a world that cuts what is sent into small pieces cuts it everywhere: no read gives
//! more, so often as was asked for, and what arrives is what was sent.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_kernel::sim::World;
use peers_kernel::{Address, Cont, Input, Stream};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// What the server reads of `sent`, read by read, if the next `times` operations are done in pieces
/// of at most `most` bytes.
fn reads(seed: u64, sent: &[u8], most: usize, times: u64) -> Vec<Vec<u8>> {
    let mut world = World::new(seed);
    world.in_pieces(most, times);
    let here: Address = "sim:here".parse().unwrap();
    let (reads, ended) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(false)));
    let (log, end) = (reads.clone(), ended.clone());
    world.process("server", |kernel| {
        let serve = move |stream: Stream| {
            let (log, end) = (log.clone(), end.clone());
            stream.start(move |_, input| match input {
                Input::Bytes(bytes) => log.borrow_mut().push(bytes.to_vec()),
                Input::End => *end.borrow_mut() = true,
                Input::Failed(error) => panic!("{error}"),
            });
        };
        kernel.handle().listen(&here, serve).unwrap()
    });
    let bytes = sent.to_vec();
    world.process("client", |kernel| {
        let handle = kernel.handle();
        let send = move |stream: io::Result<Stream>| {
            let outlet = stream.unwrap().start(|_, _| ());
            outlet.write(&bytes).unwrap();
            outlet.close();
        };
        handle.connect(&here, Cont::new(&handle, send));
    });
    world.run_for(Duration::from_secs(10));
    assert!(*ended.borrow(), "seed {seed}: the end has not arrived");
    reads.take()
}

fn sent(size: usize) -> Vec<u8> {
    (0..size).map(|n| n as u8).collect()
}

#[test]
fn no_read_gives_more_and_nothing_is_lost() {
    for seed in 0..10 {
        for most in [1, 2, 7] {
            let (sent, all) = (sent(32 * most), u64::MAX);
            let reads = reads(seed, &sent, most, all);
            assert!(reads.iter().all(|read| read.len() <= most), "seed {seed}: {reads:?}");
            assert_eq!(reads.concat(), sent, "seed {seed}");
        }
    }
}

#[test]
fn a_large_read_gives_at_most_a_32nd_at_once() {
    for seed in 0..10 {
        let sent = sent(64 * 1_024);
        let reads = reads(seed, &sent, 7, u64::MAX);
        let longest = reads.iter().map(Vec::len).max().unwrap();
        assert!((8..=64 * 1_024 / 32).contains(&longest), "seed {seed}: {longest}");
        assert_eq!(reads.concat(), sent, "seed {seed}");
    }
}

#[test]
fn in_pieces_ends_after_so_many_times() {
    for seed in 0..10 {
        let sent = sent(50_000);
        let reads = reads(seed, &sent, 1, 20);
        assert!(reads.iter().any(|read| read.len() > 50_000 / 32), "seed {seed}");
        assert_eq!(reads.concat(), sent, "seed {seed}");
    }
}
