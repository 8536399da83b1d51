//! Promise: what the outputs of all streams hold is known at any time, exactly, and so is since
//! when one of them stalls.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_kernel::sim::{ProcessId, World};
use peers_kernel::{Address, Cont, Handle, Input, Listener, Outlet, Stream};
use proptest::prelude::*;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

type Outlets = Rc<RefCell<Vec<Outlet>>>;

/// A writer with so many connections to somebody who reads, or does not, as he is told.
struct Ground {
    world: World,
    writer: ProcessId,
    reader: ProcessId,
    handle: Handle,
    outlets: Outlets,
    others: Outlets,
}

fn place() -> Address {
    "sim:reader".parse().unwrap()
}

fn ground(seed: u64, connections: usize) -> Ground {
    let mut world = World::new(seed);
    let (outlets, others) = (Outlets::default(), Outlets::default());
    let accepted = others.clone();
    let reader = world.process("reader", move |kernel| -> Listener {
        let accept = move |stream: Stream| {
            let outlet = stream.start(|_, input| if let Input::Bytes(_) = input {});
            accepted.borrow_mut().push(outlet);
        };
        kernel.handle().listen(&place(), accept).unwrap()
    });
    let (dialled, mut handle) = (outlets.clone(), None);
    let writer = world.process("writer", |kernel| {
        for _ in 0..connections {
            let dialled = dialled.clone();
            let k = Cont::new(&kernel.handle(), move |stream: io::Result<Stream>| {
                let outlet = stream.unwrap().start(|_, _| {});
                outlet.set_limit(1 << 20);
                dialled.borrow_mut().push(outlet);
            });
            kernel.handle().connect(&place(), k);
        }
        handle = Some(kernel.handle());
    });
    world.run_for(Duration::from_secs(1));
    assert_eq!((outlets.borrow().len(), others.borrow().len()), (connections, connections));
    Ground { world, writer, reader, handle: handle.unwrap(), outlets, others }
}

impl Ground {
    fn sum(&self) -> usize {
        self.outlets.borrow().iter().map(Outlet::memory).sum()
    }
}

proptest! {
    #[test]
    fn the_sum_is_what_all_streams_hold(
        seed in 0_u64..1_000,
        steps in prop::collection::vec((0_u8..9, 0_usize..4, 0_usize..200_000), 1..60),
    ) {
        let mut ground = ground(seed, 4);
        for (step, which, size) in steps {
            let (outlets, others) = (ground.outlets.clone(), ground.others.clone());
            match step {
                7 | 8 => ground.world.run_for(Duration::from_micros(size as u64)),
                5 | 6 => ground.world.with(ground.reader, move |_| {
                    let outlet = &others.borrow()[which];
                    if step == 5 { outlet.pause() } else { outlet.resume() }
                }),
                _ => ground.world.with(ground.writer, move |_| {
                    let outlet = &outlets.borrow()[which];
                    match (step, size % 50) {
                        (4, 0) => outlet.close(),
                        (4, 1) => outlet.abort(),
                        (4, _) => outlet.flush(),
                        (3, _) => drop(outlet.write(&vec![1; size % 3_000])),
                        (2, _) => drop(outlet.write_vec(&mut vec![2; size % 5_000])),
                        _ => drop(outlet.write_chunk(vec![3; size])),
                    }
                }),
            }
            prop_assert_eq!(ground.handle.output_memory(), ground.sum());
        }
        let outlets = ground.outlets.clone();
        ground.world.with(ground.writer, move |_| outlets.borrow().iter().for_each(Outlet::abort));
        prop_assert_eq!(ground.handle.output_memory(), 0);
    }
}

#[test]
fn an_output_stalls_from_when_the_peer_takes_nothing_any_more() {
    let mut ground = ground(1, 1);
    let (outlet, other) = (ground.outlets.borrow()[0].clone(), ground.others.borrow()[0].clone());
    assert_eq!(outlet.stalled(), None);
    let (writer, reader) = (ground.writer, ground.reader);
    let (reading, writing) = (other.clone(), outlet.clone());
    ground.world.with(reader, move |_| reading.pause());
    ground.world.with(writer, move |_| writing.write_chunk(vec![0; 500_000]).unwrap());
    let began = ground.world.now();
    ground.world.run_for(Duration::from_secs(5));
    let since = outlet.stalled().expect("nobody reads");
    assert!(since.since(began) < Duration::from_secs(1), "{since:?}");
    assert!(outlet.memory() >= 400_000);

    // One read is progress; that there is still much is no matter.
    let (on, off) = (other.clone(), other.clone());
    ground.world.with(reader, move |_| on.resume());
    ground.world.run_for(Duration::from_millis(2));
    ground.world.with(reader, move |_| off.pause());
    ground.world.run_for(Duration::from_secs(1));
    if let Some(later) = outlet.stalled() {
        assert!(later > since);
    }
    ground.world.with(reader, move |_| other.resume());
    ground.world.run_for(Duration::from_secs(5));
    assert_eq!((outlet.stalled(), outlet.memory(), ground.handle.output_memory()), (None, 0, 0));
}

#[test]
fn nothing_at_all_takes_no_memory() {
    let mut ground = ground(1, 1);
    let (outlet, writer) = (ground.outlets.borrow()[0].clone(), ground.writer);
    ground.world.with(writer, move |_| outlet.write(b"").unwrap());
    ground.world.run_for(Duration::from_secs(1));
    assert_eq!((ground.sum(), ground.handle.output_memory()), (0, 0));
    let outlet = ground.outlets.borrow()[0].clone();
    ground.world.with(writer, move |_| outlet.abort());
    assert_eq!(ground.handle.output_memory(), 0, "as long as the kernel lives");
}

#[test]
fn memory_that_is_kept_for_later_can_be_given_back() {
    let mut ground = ground(1, 1);
    let (outlet, writer) = (ground.outlets.borrow()[0].clone(), ground.writer);
    ground.world.with(writer, move |_| outlet.write_chunk(vec![0; 50_000]).unwrap());
    ground.world.run_for(Duration::from_secs(1));
    assert!(ground.handle.pooled_buffer_just_for(50_000).is_some());
    let outlet = ground.outlets.borrow()[0].clone();
    ground.world.with(writer, move |_| outlet.write_chunk(vec![0; 50_000]).unwrap());
    ground.world.run_for(Duration::from_secs(1));
    ground.handle.release_memory();
    assert_eq!(ground.handle.pooled_buffer_just_for(50_000), None);
}
