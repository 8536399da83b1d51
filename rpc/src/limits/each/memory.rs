//! Bytes of output and input that wait.

use super::common::ProbeProxy;
use super::harness::{Pair, limits};
use crate::Rpc;
use crate::limits::Limits;
use crate::session::Head;
use peers_kernel::{Kernel, Wait};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

pub(super) fn output_low_water() {
    for mark in [1_000, 1 << 20] {
        let pair = || {
            let small = limits(|l| l.output_low_water = mark);
            Pair::open_with(small, Limits::default())
        };
        // A call takes 32 bytes besides its arguments.
        for (bytes, waits) in [(mark - 32, 0), (mark - 31, 1)] {
            let mut pair = pair();
            pair.a.call(pair.now, Head::new(1), &vec![0; bytes], 1);
            assert_eq!(
                (pair.a.session.unflushed(), pair.a.session.waiting()),
                (bytes as u64 + 32, 0)
            );
            pair.a.call(pair.now, Head::new(1), b"", 2);
            assert_eq!(pair.a.session.waiting(), waits, "behind {} bytes", bytes + 32);
        }
    }
    let limits = Limits::default();
    assert_eq!(limits.output_high_water(), (1 << 20) + 2 * (4 << 20));
}

/// Reading pauses above it: in the link, where the requests wait.
pub(super) fn inbound_queue() {
    crate::link::deferred::tests::reading_pauses_above_the_limit_and_goes_on_at_half_of_it();
    assert_eq!(Limits::default().inbound_queue, 2 << 20);
}

/// Requests wait from three quarters of it on, and are refused at all of it.
pub(super) fn process_bytes() {
    let kernel = Kernel::simulated(1);
    let rpc = Rpc::with_limits(&kernel.handle(), limits(|l| l.process_bytes = 4_000));
    let context = rpc.context();
    for (held, tight, full) in
        [(2_999, false, false), (3_000, true, false), (3_999, true, false), (4_000, true, true)]
    {
        context.memory.tell(context.held(), held);
        context.weigh();
        assert_eq!((context.memory.is_tight(), context.is_full()), (tight, full), "{held} bytes");
    }
    assert_eq!(Limits::default().process_bytes, 256 << 20);
}

/// What the system does not take waits here.
pub(super) fn socket_buffers() {
    for (buffers, waits) in [(Some(4 << 10), true), (None, false)] {
        let mut kernel = Kernel::new().expect("a loop");
        // Who does not read: nobody starts its streams.
        let streams = Rc::new(RefCell::new(Vec::new()));
        let kept = streams.clone();
        let here = "inet:127.0.0.1:0".parse().expect("an address");
        let accept = move |stream| kept.borrow_mut().push(stream);
        let server = kernel.handle().listen(&here, accept).expect("a port");
        let rpc = Rpc::with_limits(&kernel.handle(), limits(|l| l.socket_buffers = buffers));
        let node = ProbeProxy::new(rpc.connect(server.address()));
        for _ in 0..60 {
            node.note("x".repeat(3_500)).expect("there is room");
        }
        // Long enough for what the system takes, or until it has taken everything.
        let handle = kernel.handle();
        let is_sent = || !streams.borrow().is_empty() && rpc.held_memory() == 0;
        let end = handle.now() + Duration::from_secs(if waits { 1 } else { 30 });
        while handle.now() < end && (waits || !is_sent()) {
            let soon = handle.now() + Duration::from_millis(20);
            kernel.turn(Wait::Until(soon)).expect("a turn");
        }
        assert_eq!(rpc.held_memory() > 0, waits, "with {buffers:?}");
    }
    assert_eq!(Limits::default().socket_buffers, None);
}
