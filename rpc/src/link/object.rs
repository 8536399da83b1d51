//! What a link knows of the objects bound on it, and what it hands to them.

use crate::interface::{Interface, Method};
use crate::link::Link;
use crate::session::Request;
use peers_kernel::{Cause, Lost};
use peers_wire::Body;
use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;

/// An object bound on a link, its type forgotten.
pub(crate) trait Object {
    /// Lets the method run that the request is for, and see to its answer.
    fn serve<'a>(&self, request: &'a Arrived<'a>) -> Result<(), Lost>;
    /// Its method with this id.
    fn method(&self, id: u64) -> Option<&'static Method>;
    /// Returns what was bound before it on the same link.
    fn before(&self) -> Option<&Rc<dyn Object>>;
    /// Returns whether the other does just the same.
    fn is_like(&self, other: &dyn Any) -> bool;
    /// Returns whether the node of this context may have another interface with methods of this
    /// one: it is the same node.
    fn shares_methods(&self, cx: &dyn Any, interface: &'static Interface) -> bool;
}

/// A request that is being served.
pub(crate) struct Arrived<'a> {
    pub(crate) link: &'a Rc<Link>,
    pub(crate) cause: Cause,
    pub(crate) request: &'a Request<'a>,
    /// Holds the arguments, until they are read.
    pub(crate) body: Cell<Body<'a>>,
    /// Set as soon as the answer is somebody else's business: what a panic needs to know.
    pub(crate) handed_over: Cell<bool>,
}
