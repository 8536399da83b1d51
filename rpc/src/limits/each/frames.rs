//! Sizes of frames.

use super::harness::{Pair, Side, limits};
use crate::limits::Limits;
use crate::session::{CloseReason, Head, Rejected, Role, Violation, Why};
use peers_kernel::Instant;
use peers_wire::{Error, Kind, NodeId, PREAMBLE, put_frame, put_reply};

/// A hello with a field of a later version at its end, whose body has that length.
fn long_hello(length: usize) -> Vec<u8> {
    let mut bytes = PREAMBLE.to_vec();
    put_frame(&mut bytes, u32::MAX, Kind::Hello, 0, 0, |w| {
        w.structure(|w| {
            w.u16(1);
            w.u128(7);
            w.u32(4_096);
            w.u32(64);
            w.put(&vec![0; length - 30]);
        });
    })
    .expect("it is short");
    bytes
}

fn too_large(length: u32, limit: u32) -> CloseReason {
    CloseReason::Protocol(Violation::Bytes(Error::FrameTooLarge { length, limit }))
}

pub(super) fn frame_before_hello() {
    for limit in [4_096, 5_000] {
        let meet = |length: u32| {
            let now = Instant::from_nanos(1);
            let limits = limits(|l| l.frame_before_hello = limit);
            let mut side = Side::new(Role::Accepted, limits, now);
            side.feed(now, &long_hello(length as usize));
            (side.session.peer().map(|peer| peer.node), side.closed)
        };
        assert_eq!(meet(limit), (Some(NodeId::from_bits(7)), None));
        assert_eq!(meet(limit + 1), (None, Some(too_large(limit + 1, limit))));
    }
}

pub(super) fn frame() {
    for limit in [4_096, 10_000, 4 << 20] {
        let pair = || Pair::open_with(Limits::default(), limits(|l| l.frame = limit));
        let text = "x".repeat(limit as usize);

        // What is announced is what is kept, by whoever sends...
        let mut own = pair();
        assert_eq!(own.a.session.peer().map(|peer| peer.max_frame), Some(limit));
        let now = own.now;
        own.a.call(now, Head::new(1), &text.as_bytes()[16..], 1);
        own.exchange();
        assert_eq!(own.b.asked().args.len() + 16, limit as usize);
        let beyond = own.a.try_call(now, Head::new(1), &text.as_bytes()[15..], 2);
        let Err(Rejected { why, .. }) = beyond else { panic!("it was taken") };
        assert_eq!(why, Why::TooLarge { size: u64::from(limit) + 1, limit: limit.into() });

        // ... and by whoever receives.
        for (length, closed) in [(limit, None), (limit + 1, Some(too_large(limit + 1, limit)))] {
            let mut hostile = pair();
            let id = hostile.b.call(now, Head::new(1), b"", 1);
            let mut bytes = Vec::new();
            put_reply(&mut bytes, u32::MAX, id.number(), &&text[..length.min(limit) as usize - 4])
                .expect("no limit");
            if length > limit {
                bytes[..4].copy_from_slice(&length.to_be_bytes());
            }
            hostile.b.feed(now, &bytes);
            assert_eq!(hostile.b.closed, closed);
        }
    }
}
