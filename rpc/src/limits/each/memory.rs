//! Bytes of output and input that wait.

use super::harness::{Pair, limits};
use crate::limits::Limits;
use crate::session::Head;

pub(super) fn output_soft() {
    for soft in [1_000, 1 << 20] {
        let pair = || {
            let small = limits(|l| l.output_soft = soft);
            Pair::open_with(small, Limits::default())
        };
        // A call takes 32 bytes besides its arguments.
        for (bytes, waits) in [(soft - 32, 0), (soft - 31, 1)] {
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
    assert_eq!(limits.output_hard(), (1 << 20) + 2 * (4 << 20));
}

/// Reading pauses above it: in the link, where the requests wait.
pub(super) fn inbound_queue() {
    crate::link::inbound_queue_is_exact();
    assert_eq!(Limits::default().inbound_queue, 2 << 20);
}
