//! Requests of one connection that wait for a turn of the loop: a queue that counts its bytes.

use crate::session::{CloseReason, Request};
use peers_kernel::Instant;
use peers_wire::{Body, Trace};
use std::collections::VecDeque;

/// The requests of one connection that wait for a turn.
#[derive(Default)]
pub(crate) struct Deferred {
    pub(crate) requests: VecDeque<OwnedRequest>,
    bytes: usize,
    pub(crate) paused: bool,
    pub(crate) ending: Option<CloseReason>,
}

/// A request that waits.
pub(crate) struct OwnedRequest {
    pub(crate) call: Option<u64>,
    method: u64,
    deadline: Instant,
    depth: u16,
    trace: Option<Trace>,
    arguments: Vec<u8>,
    /// Iff these are a run: see [`Body::Owned`].
    is_run: bool,
}

impl OwnedRequest {
    /// Keeps the arguments: a copy, or the memory that they lie in.
    pub(crate) fn new(request: &Request<'_>, body: Body<'_>) -> Self {
        let Request { call, method, deadline, depth, trace, .. } = *request;
        let (arguments, is_run) = match body {
            Body::Slice(args) => (args.to_vec(), false),
            Body::Owned(run) => (std::mem::take(run), true),
        };
        Self { call, method, deadline, depth, trace, arguments, is_run }
    }

    /// Returns the request, but for its arguments.
    pub(crate) fn request(&self) -> Request<'static> {
        let Self { call, method, deadline, depth, trace, .. } = *self;
        Request { call, method, deadline, depth, trace, args: &[] }
    }

    pub(crate) fn body(&mut self) -> Body<'_> {
        let run = &mut self.arguments;
        if self.is_run { Body::Owned(run) } else { Body::Slice(run) }
    }

    /// Counts the bytes of memory that it takes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.arguments.len()
    }
}

impl Deferred {
    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Counts the requests that wait.
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    /// Returns how many of them are events.
    pub(crate) fn events(&self) -> usize {
        self.requests.iter().filter(|waiting| waiting.call.is_none()).count()
    }

    /// Counts anew the bytes of memory of what waits.
    pub(crate) fn weighed(&self) -> usize {
        self.requests.iter().map(OwnedRequest::size).sum()
    }

    /// Returns the bytes of memory of what waits.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns whether there is nothing to remember.
    pub(crate) fn is_idle(&self) -> bool {
        self.requests.is_empty() && !self.paused && self.ending.is_none()
    }

    pub(crate) fn push(&mut self, request: OwnedRequest) {
        self.bytes += request.size();
        self.requests.push_back(request);
    }

    pub(crate) fn pop(&mut self) -> Option<OwnedRequest> {
        let request = self.requests.pop_front()?;
        self.bytes -= request.size();
        if self.requests.is_empty() {
            self.requests = VecDeque::new(); // an idle connection holds no memory for it
        }
        Some(request)
    }

    pub(crate) fn retain(&mut self, wanted: impl Fn(&OwnedRequest) -> bool) {
        self.requests.retain(wanted);
        self.bytes = self.requests.iter().map(OwnedRequest::size).sum();
    }

    /// Returns whether reading is to pause, or to go on, if that changes anything.
    pub(crate) fn turn_of_reading(&mut self, limit: usize) -> Option<bool> {
        let paused = if self.paused { self.bytes > limit / 2 } else { self.bytes > limit };
        (std::mem::replace(&mut self.paused, paused) != paused).then_some(paused)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn request(call: Option<u64>, arguments: usize) -> OwnedRequest {
        let arguments = vec![0; arguments];
        OwnedRequest {
            call,
            method: 1,
            deadline: Instant::FAR,
            depth: 0,
            trace: None,
            arguments,
            is_run: false,
        }
    }

    pub(crate) fn reading_pauses_above_the_limit_and_goes_on_at_half_of_it() {
        let mut deferred = Deferred::default();
        let each = request(None, 100).size();
        let limit = 10 * each;
        for _ in 0..10 {
            deferred.push(request(None, 100));
            assert_eq!(deferred.turn_of_reading(limit), None);
        }
        deferred.push(request(None, 100));
        assert_eq!(deferred.turn_of_reading(limit), Some(true));
        for _ in 0..5 {
            deferred.pop();
            assert_eq!(deferred.turn_of_reading(limit), None);
        }
        deferred.pop();
        assert_eq!(deferred.turn_of_reading(limit), Some(false));
        assert_eq!(deferred.turn_of_reading(limit), None);
    }

    #[test]
    fn bytes_are_those_of_what_waits() {
        let mut deferred = Deferred::default();
        deferred.push(request(Some(1), 10));
        deferred.push(request(None, 1_000));
        deferred.push(request(Some(2), 100));
        deferred.retain(|waiting| waiting.call != Some(1));
        deferred.pop();
        assert_eq!(deferred.bytes, request(Some(2), 100).size());
        deferred.pop();
        assert!(deferred.pop().is_none());
        assert_eq!((deferred.bytes, deferred.requests.capacity()), (0, 0));
    }
}
