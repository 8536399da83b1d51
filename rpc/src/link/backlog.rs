//! The links of a process that take turns, since their requests wait for a turn of the loop.

use crate::link::key::LinkKey;
use peers_kernel::Instant;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// The links of a process with requests that wait.
#[derive(Default)]
pub(crate) struct Backlog {
    /// Those in line, each with the instant at which it came.
    pub(crate) line: RefCell<VecDeque<(LinkKey, Instant)>>,
    /// Those whose peers take nothing.
    pub(crate) aside: RefCell<Vec<LinkKey>>,
    /// Set iff it is seen to that the line goes on.
    pub(crate) goes_on: Cell<bool>,
    /// Set iff it is seen to that those aside are looked at.
    pub(crate) looks: Cell<bool>,
    /// Set iff the turn before was left to what had just arrived.
    pub(crate) stood_back: Cell<bool>,
}
