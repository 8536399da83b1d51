//! One direction of a simulated connection: what is on its way, and what has arrived and waits to
//! be read.
//!
//! Invariants:
//! 1. Parcels arrive in the order they were sent, whatever delay each has drawn. Kept by
//!    `a_fast_parcel_waits_for_a_slow_one_before_it`.
//! 2. `volume` is the number of bytes sent and not yet read, and at most [`CAPACITY`]. Kept by
//!    `step`, `volume_counts_what_is_sent_and_not_read`.

use crate::host::time::Instant;
use std::collections::VecDeque;

/// Bytes that one direction of a connection holds before its writer would block.
pub(crate) const CAPACITY: usize = 64 * 1024;

/// One thing that travels.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parcel {
    /// To a dialler: there is someone at the other end.
    Accepted,
    /// To a dialler: there is nobody.
    Refused,
    Bytes(Vec<u8>),
    /// The end of the stream.
    Fin,
    /// The connection is gone.
    Reset,
}

#[derive(Debug, Default)]
pub(crate) struct Lane {
    flight: VecDeque<(Instant, Parcel)>,
    arrived: VecDeque<u8>,
    volume: usize,
}

impl Lane {
    /// Returns how many bytes may still be sent.
    pub(crate) fn room(&self) -> usize {
        CAPACITY.saturating_sub(self.volume)
    }

    /// Sends a parcel that would arrive at `at`, and returns when it really will.
    pub(crate) fn send(&mut self, at: Instant, parcel: Parcel) -> Instant {
        // A parcel that has drawn a short delay does not overtake.
        let at = self.flight.back().map_or(at, |(before, _)| at.max(*before));
        if let Parcel::Bytes(bytes) = &parcel {
            self.volume += bytes.len();
        }
        self.flight.push_back((at, parcel));
        at
    }

    /// Returns the next parcel that is due.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Parcel> {
        let (at, _) = self.flight.front()?;
        if *at > now {
            return None;
        }
        self.flight.pop_front().map(|(_, parcel)| parcel)
    }

    pub(crate) fn is_in_flight(&self) -> bool {
        !self.flight.is_empty()
    }

    /// Returns whether `volume` can be what is on its way and what has arrived.
    pub(crate) fn is_sound(&self) -> bool {
        let arrived = self.arrived.len();
        if self.flight.is_empty() { self.volume == arrived } else { self.volume >= arrived }
    }

    /// Returns whether it holds no more than it may as long as somebody reads.
    pub(crate) fn is_bounded(&self) -> bool {
        self.volume <= CAPACITY
    }

    /// Drops everything on its way.
    pub(crate) fn lose_flight(&mut self) {
        self.flight.clear();
        self.volume = self.arrived.len();
    }

    /// Takes in bytes that have arrived.
    pub(crate) fn land(&mut self, bytes: &[u8]) {
        self.arrived.extend(bytes);
    }

    /// Forgets bytes that have arrived where nobody reads any more.
    pub(crate) fn discard(&mut self, count: usize) {
        self.volume -= count;
    }

    pub(crate) fn readable(&self) -> usize {
        self.arrived.len()
    }

    /// Appends `count` bytes of what has arrived to `into`; there must be enough.
    pub(crate) fn read(&mut self, count: usize, into: &mut Vec<u8>) {
        let (first, second) = self.arrived.as_slices();
        let split = count.min(first.len());
        into.extend_from_slice(&first[..split]);
        into.extend_from_slice(&second[..count - split]);
        self.arrived.drain(..count);
        self.volume -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn a_fast_parcel_waits_for_a_slow_one_before_it() {
        let mut lane = Lane::default();
        assert_eq!(lane.send(at(9), Parcel::Bytes(vec![1])), at(9));
        assert_eq!(lane.send(at(3), Parcel::Fin), at(9));
        assert_eq!(lane.take_due(at(8)), None);
        assert_eq!(lane.take_due(at(9)), Some(Parcel::Bytes(vec![1])));
        assert_eq!(lane.take_due(at(9)), Some(Parcel::Fin));
    }

    #[test]
    fn volume_counts_what_is_sent_and_not_read() {
        let mut lane = Lane::default();
        lane.send(at(1), Parcel::Bytes(vec![7; 100]));
        assert_eq!(lane.room(), CAPACITY - 100);
        assert_eq!(lane.take_due(at(1)), Some(Parcel::Bytes(vec![7; 100])));
        lane.land(&[7; 100]);
        let mut buffer = Vec::new();
        lane.read(60, &mut buffer);
        assert_eq!((buffer, lane.readable(), lane.room()), (vec![7; 60], 40, CAPACITY - 40));
    }
}
