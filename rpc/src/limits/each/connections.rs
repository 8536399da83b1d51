//! Counts of connections: see the listener, which counts them.

use super::Limits;
use crate::api::listener::counts;

pub(super) fn connections() {
    counts::connections_are_counted_whatever_they_are();
    assert_eq!(Limits::default().connections, None);
}

pub(super) fn half_open() {
    counts::only_so_many_may_be_silent();
    assert_eq!(Limits::default().half_open, 128);
}

pub(super) fn per_source() {
    counts::one_source_has_only_so_many();
    assert_eq!(Limits::default().per_source, 64);
}
