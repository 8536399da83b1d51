//! Promise: who gives a block gets what arrives next in its room, once, behind what it holds; no
//! byte is lost or moved.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{any_port, dialled, run_until, strict_kernel};
use peers_kernel::{Address, Handle, Input, Kernel, Listener, Outlet, Stream};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

type Give = fn(usize) -> Option<Vec<u8>>;

/// Holds what a server that gives blocks has heard.
#[derive(Clone, Default)]
struct Taker {
    all: Rc<RefCell<Vec<u8>>>,
    blocks: Rc<Cell<usize>>,
    /// Set iff a block was given that has not come back.
    given: Rc<Cell<bool>>,
    over: Rc<Cell<bool>>,
    outlet: Rc<RefCell<Option<Outlet>>>,
}

impl Taker {
    /// Listens; `give` says what block is given after each input, if one is.
    fn listen(&self, handle: &Handle, at: &Address, give: Give) -> Listener {
        let this = self.clone();
        let serve = move |stream: Stream| {
            let this = this.clone();
            this.outlet.replace(Some(stream.outlet()));
            stream.start(move |_, input| match input {
                Input::Bytes(bytes) => {
                    assert!(!this.given.get(), "what arrives next is for the block");
                    this.take(bytes, give);
                }
                Input::End | Input::Failed(_) => this.over.set(true),
            });
        };
        handle.listen(at, serve).unwrap()
    }

    fn take(&self, bytes: &[u8], give: Give) {
        self.all.borrow_mut().extend_from_slice(bytes);
        if let Some(block) = give(self.len()) {
            let this = self.clone();
            self.given.set(true);
            self.outlet().read_into(block, move |block| {
                this.given.set(false);
                let (head, bytes) = block.split_at(4);
                assert_eq!(head, b"head", "what it held stays in front");
                assert!(!bytes.is_empty(), "with something behind it");
                this.blocks.set(this.blocks.get() + 1);
                this.take(bytes, give);
            });
        }
    }

    fn len(&self) -> usize {
        self.all.borrow().len()
    }

    fn outlet(&self) -> Outlet {
        self.outlet.borrow().clone().unwrap()
    }
}

/// Holds four bytes, with room for `room` more.
fn block(room: usize) -> Vec<u8> {
    let mut block = Vec::with_capacity(4 + room);
    block.extend_from_slice(b"head");
    block
}

fn data() -> Vec<u8> {
    (0..1_u32 << 20).map(|index| (index.wrapping_mul(index) >> 7) as u8).collect()
}

#[test]
fn a_block_is_filled_once_and_then_bytes_come_as_ever() {
    let mut kernel = strict_kernel();
    let taker = Taker::default();
    let server = taker.listen(&kernel.handle(), &any_port(), |had| (had == 3).then(|| block(100)));
    let ours = dialled(&mut kernel, server.address()).unwrap().start(|_, _| {});
    for (sent, blocks) in [("abc", 0), ("def", 1), ("ghi", 1)] {
        ours.write(sent.as_bytes()).unwrap();
        let expected = taker.len() + 3;
        run_until(&mut kernel, sent, || taker.len() == expected);
        assert_eq!(taker.blocks.get(), blocks, "after {sent}");
    }
    assert_eq!(*taker.all.borrow(), b"abcdefghi");
}

#[test]
fn a_megabyte_arrives_unchanged_whatever_room_the_blocks_have() {
    let data = data();
    let rooms: [Give; 4] = [
        |_| Some(block(1 << 20)),
        |_| Some(block(10_000)),
        |had| had.is_multiple_of(2).then(|| block(99_999)),
        |_| Some(b"head".to_vec()), // no room: it is given some
    ];
    for give in rooms {
        let mut kernel = strict_kernel();
        let taker = Taker::default();
        let server = taker.listen(&kernel.handle(), &any_port(), give);
        let ours = dialled(&mut kernel, server.address()).unwrap().start(|_, _| {});
        ours.write_chunk(data.clone()).unwrap();
        run_until(&mut kernel, "a megabyte", || taker.len() == data.len());
        assert!(*taker.all.borrow() == data);
        assert!(taker.blocks.get() > 0);
    }
}

#[test]
fn blocks_fill_in_a_simulation_however_bytes_are_cut() {
    for seed in 0..20 {
        let mut kernel = Kernel::simulated(seed);
        let taker = Taker::default();
        let at: Address = "sim:here".parse().unwrap();
        let give: Give = |had| had.is_multiple_of(3).then(|| block(1 + had % 5_000));
        let server = taker.listen(&kernel.handle(), &at, give);
        let ours = dialled(&mut kernel, server.address()).unwrap().start(|_, _| {});
        ours.write_chunk(data()[..300_000].to_vec()).unwrap();
        run_until(&mut kernel, "all bytes", || taker.len() == 300_000);
        assert!(*taker.all.borrow() == data()[..300_000]);
    }
}

#[test]
fn a_block_waits_while_reading_pauses() {
    let mut kernel = strict_kernel();
    let taker = Taker::default();
    let server = taker.listen(&kernel.handle(), &any_port(), |had| (had == 1).then(|| block(10)));
    let ours = dialled(&mut kernel, server.address()).unwrap().start(|_, _| {});
    ours.write(b"a").unwrap();
    run_until(&mut kernel, "the first byte", || taker.len() == 1);
    taker.outlet().pause();
    ours.write(b"bc").unwrap();
    run_until(&mut kernel, "that they are sent", || ours.written() == 3);
    assert_eq!(taker.len(), 1);
    taker.outlet().resume();
    run_until(&mut kernel, "the rest", || taker.len() == 3);
    assert_eq!(taker.blocks.get(), 1);
}

#[test]
fn the_end_is_heard_instead_of_a_block_that_nothing_fills() {
    let mut kernel = strict_kernel();
    let taker = Taker::default();
    let server = taker.listen(&kernel.handle(), &any_port(), |_| Some(block(10)));
    let ours = dialled(&mut kernel, server.address()).unwrap().start(|_, _| {});
    ours.write(b"a").unwrap();
    run_until(&mut kernel, "the first byte", || taker.len() == 1);
    ours.finish();
    run_until(&mut kernel, "the end", || taker.over.get());
    assert_eq!((taker.len(), taker.blocks.get()), (1, 0));
}

#[test]
fn a_closed_stream_takes_no_block() {
    let mut kernel = strict_kernel();
    let taker = Taker::default();
    let server = taker.listen(&kernel.handle(), &any_port(), |_| Some(block(10)));
    let ours = dialled(&mut kernel, server.address()).unwrap().start(|_, _| {});
    ours.write(b"a").unwrap();
    run_until(&mut kernel, "the first byte", || taker.len() == 1);
    let (theirs, kept) = (taker.outlet(), Rc::new(()));
    let give = |kept: Rc<()>| theirs.read_into(block(10), move |_| drop(kept));
    give(kept.clone());
    assert_eq!(Rc::strong_count(&kept), 2);
    theirs.close();
    assert_eq!(Rc::strong_count(&kept), 1, "it was dropped");
    give(kept.clone());
    assert_eq!(Rc::strong_count(&kept), 1, "at once");
}

#[test]
fn a_panic_costs_the_block_and_nothing_else() {
    let mut kernel = strict_kernel();
    kernel.set_strict(false);
    let taker = Taker::default();
    let server = taker.listen(&kernel.handle(), &any_port(), |_| None);
    let ours = dialled(&mut kernel, server.address()).unwrap().start(|_, _| {});
    ours.write(b"a").unwrap();
    run_until(&mut kernel, "the first byte", || taker.len() == 1);
    let panicked = Rc::new(Cell::new(false));
    let flag = panicked.clone();
    taker.outlet().read_into(block(10), move |_| {
        flag.set(true);
        panic!("meant to")
    });
    ours.write(b"lost").unwrap();
    run_until(&mut kernel, "that they are lost", || panicked.get());
    ours.write(b"b").unwrap();
    run_until(&mut kernel, "the last byte", || taker.len() == 2);
    assert_eq!(*taker.all.borrow(), b"ab");
}
