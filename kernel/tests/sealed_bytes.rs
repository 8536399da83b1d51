//! Promise: through a secure layer, over a socket that takes and gives as little as it likes, what
//! is heard and what counts as written are what they would be without one, and nothing is sealed
//! twice.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;
mod toy;

use common::{Heard, everywhere, run_until, streams, strict_kernel};
use peers_kernel::sim::{ProcessId, World};
use peers_kernel::{Address, Cont, Outlet, Stream};
use proptest::prelude::*;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use toy::{Ask, Log};

fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + seed + (at >> 8)) as u8).collect()
}

/// One process's view of its connection.
#[derive(Clone, Default)]
struct End {
    outlet: Rc<RefCell<Option<Outlet>>>,
    heard: Heard,
    log: Rc<Log>,
}

impl End {
    fn start(&self, stream: Stream, layer: Box<dyn peers_kernel::SecureLayer>) {
        let outlet = self.heard.listen_to(stream.secure(layer));
        self.outlet.replace(Some(outlet));
    }

    fn with(&self, f: impl FnOnce(&Outlet)) {
        self.outlet.borrow().as_ref().map(f);
    }
}

/// Two processes of a world, connected, each with its end.
fn world(seed: u64, most: usize, times: u64) -> (World, [End; 2], [ProcessId; 2]) {
    let mut world = World::new(seed);
    world.in_pieces(most, times);
    let here: Address = "sim:here".parse().unwrap();
    let ends = [End::default(), End::default()];
    let (client, server) = (ends[0].clone(), ends[1].clone());
    let second = world.process("server", |kernel| {
        let accept = move |stream: Stream| server.start(stream, toy::accepting(&server.log, 1));
        kernel.handle().listen(&here, accept).unwrap()
    });
    let first = world.process("client", |kernel| {
        let handle = kernel.handle();
        let dialled = move |stream: io::Result<Stream>| {
            client.start(stream.unwrap(), toy::dialling(&client.log, 1));
        };
        handle.connect(&here, Cont::new(&handle, dialled));
    });
    for _ in 0..10_000 {
        if ends.iter().all(|end| end.outlet.borrow().is_some()) {
            return (world, ends, [first, second]);
        }
        world.step();
    }
    panic!("they do not meet");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_in_comes_out_and_is_sealed_once(
        seed: u64,
        most in 1..2_000_usize,
        times in prop::sample::select(vec![0, 50, 1_000, u64::MAX]),
        steps in prop::collection::vec((0..2_usize, 0..6_u8, 1..8_000_usize), 1..25),
    ) {
        let (mut world, ends, processes) = world(seed, most, times);
        let mut models = [Vec::new(), Vec::new()];
        for (which, what, size) in steps {
            let (end, model, place) = (&ends[which], &mut models[which], processes[which]);
            match what {
                0..=2 => {
                    let sent = bytes(size, model.len());
                    let fits = |outlet: &Outlet| outlet.write(&sent).is_ok();
                    if world.with(place, |_| end.outlet.borrow().as_ref().is_some_and(fits)) {
                        model.extend_from_slice(&sent);
                    }
                }
                3 => world.with(place, |_| end.with(Outlet::pause)),
                4 => world.with(place, |_| end.with(Outlet::resume)),
                _ => (0..size % 50).for_each(|_| _ = world.step()),
            }
            let written = end.outlet.borrow().as_ref().unwrap().written() as usize;
            let buffered = end.outlet.borrow().as_ref().unwrap().buffered();
            prop_assert_eq!(written + buffered, model.len());
        }
        for (end, place) in ends.iter().zip(processes) {
            world.with(place, |_| {
                end.with(Outlet::resume);
                end.with(Outlet::finish);
            });
        }
        let mut steps = 0;
        while !ends.iter().all(|end| end.heard.ended.get()) {
            steps += 1;
            prop_assert!(steps < 50_000, "it takes too long");
            prop_assert!(world.step(), "nothing can happen any more");
        }
        for (mine, theirs) in [(0, 1), (1, 0)] {
            prop_assert!(ends[theirs].heard.ended.get(), "the end has not come");
            prop_assert!(*ends[theirs].heard.bytes.borrow() == models[mine]);
            prop_assert!(*ends[mine].log.sealed.borrow() == models[mine], "all of it, once");
            prop_assert_eq!(ends[theirs].log.opened.get(), models[mine].len());
            prop_assert_eq!(ends[mine].log.count(Ask::Close), 1);
        }
    }
}

#[test]
fn megabytes_both_ways_over_sockets_arrive_unchanged() {
    everywhere("megabytes", |kernel, at| {
        let (dialled, accepted) = streams(kernel, at);
        let ends = [End::default(), End::default()];
        ends[0].start(dialled, toy::dialling(&ends[0].log, 1));
        ends[1].start(accepted, toy::accepting(&ends[1].log, 1));
        let sent = [bytes(1 << 20, 1), bytes((1 << 20) - 5, 2)];
        for (end, sent) in ends.iter().zip(&sent) {
            end.with(|outlet| outlet.write_chunk(sent.clone()).unwrap());
            end.with(Outlet::finish);
        }
        run_until(kernel, "both ends", || ends.iter().all(|end| end.heard.ended.get()));
        for (mine, theirs) in [(0, 1), (1, 0)] {
            assert!(*ends[theirs].heard.bytes.borrow() == sent[mine]);
            assert!(*ends[mine].log.sealed.borrow() == sent[mine]);
            let most = *ends[mine].log.records.borrow().iter().max().unwrap();
            assert_eq!(most, 16 << 10, "records are as large as they may be");
        }
    });
}

/// One turn's small writes make one record.
#[test]
fn what_a_turn_says_is_sealed_together() {
    everywhere("together", |kernel, at| {
        let (dialled, accepted) = streams(kernel, at);
        let ends = [End::default(), End::default()];
        ends[0].start(dialled, toy::dialling(&ends[0].log, 1));
        ends[1].start(accepted, toy::accepting(&ends[1].log, 1));
        run_until(kernel, "the proof", || {
            ends[0].outlet.borrow().as_ref().unwrap().peer_key().is_some()
        });
        for turn in 1..=3 {
            for _ in 0..100 {
                ends[0].with(|outlet| outlet.write(b"a word ").unwrap());
            }
            run_until(kernel, "the words", || ends[1].heard.len() == 700 * turn);
        }
        assert_eq!(*ends[0].log.records.borrow(), [700; 3]);
    });
}

/// As with any read buffer: a block gets what fits, and what is behind it goes to the handler.
#[test]
fn a_block_is_filled_and_nothing_behind_it_is_lost() {
    let mut kernel = strict_kernel();
    let (dialled, accepted) = streams(&mut kernel, &common::any_port());
    let ends = [End::default(), End::default()];
    ends[0].start(dialled, toy::dialling(&ends[0].log, 1));
    ends[1].start(accepted, toy::accepting(&ends[1].log, 1));
    let (sent, got) = (bytes(100_000, 3), Rc::new(RefCell::new(Vec::new())));
    let place = got.clone();
    ends[1]
        .with(|outlet| outlet.read_into(Vec::with_capacity(100), move |b| *place.borrow_mut() = b));
    ends[0].with(|outlet| outlet.write(&sent).unwrap());
    run_until(&mut kernel, "all", || got.borrow().len() + ends[1].heard.len() == sent.len());
    assert_eq!(got.borrow().len(), 100);
    assert!([&got.borrow()[..], &ends[1].heard.bytes.borrow()].concat() == sent);
}

/// A stream that goes on hears the bytes that its socket has held meanwhile, though the system has
/// nothing to report any more.
#[test]
fn what_is_kept_while_paused_is_heard_afterwards() {
    let mut kernel = strict_kernel();
    let (dialled, accepted) = streams(&mut kernel, &common::any_port());
    let ends = [End::default(), End::default()];
    ends[0].start(dialled, toy::dialling(&ends[0].log, 1));
    ends[1].start(accepted, toy::accepting(&ends[1].log, 1));
    let (place, got) = (ends[1].outlet.clone(), Rc::new(RefCell::new(Vec::new())));
    let block = got.clone();
    ends[1].with(|outlet| {
        outlet.read_into(Vec::with_capacity(10), move |bytes| {
            *block.borrow_mut() = bytes;
            place.borrow().as_ref().unwrap().pause();
        });
    });
    ends[0].with(|outlet| outlet.write(&bytes(10_000, 4)).unwrap());
    run_until(&mut kernel, "the block", || !got.borrow().is_empty());
    assert_eq!(ends[1].log.opened.get(), 10_000, "one record was opened whole");
    for _ in 0..20 {
        kernel.turn(peers_kernel::Wait::No).unwrap();
    }
    assert_eq!(ends[1].heard.len(), 0, "it is paused");
    ends[1].with(Outlet::resume);
    run_until(&mut kernel, "the rest", || ends[1].heard.len() == 9_990);
}
