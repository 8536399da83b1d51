//! Binding an object on an endpoint, so that its methods are found.

use super::binding::Binding;
use super::context::Context;
use super::stub::{Incoming, Served};
use crate::AlreadyBound;
use crate::interface::{Interface, Method};
use crate::link::Link;
use crate::link::context::LinkContext;
use crate::link::endpoint::Endpoint;
use crate::link::object::{Arrived, Object};
use peers_kernel::{Cx, Lost};
use std::any::Any;
use std::cell::Cell;
use std::ptr;
use std::rc::{Rc, Weak};

/// A dispatcher over all methods of an interface, as generated code writes it.
pub(crate) type Serve<S> = fn(&mut S, &Context<'_, S>, Incoming<'_>) -> Served;

/// Objects bound lately that a new link may share.
const LATELY: usize = 8;

struct BoundNode<S: 'static> {
    cx: Cx<S>,
    interface: &'static Interface,
    serve: Serve<S>,
    before: Option<Rc<dyn Object>>,
    /// The method asked for last, which most often is the one asked for next: a search would wait
    /// for memory at each step.
    last: Cell<Option<&'static Method>>,
}

impl<S: 'static> Object for BoundNode<S> {
    fn method(&self, id: u64) -> Option<&'static Method> {
        let last = self.last.get().filter(|last| last.id == id);
        last.or_else(|| {
            self.last.set(self.interface.method(id));
            self.last.get()
        })
    }

    fn serve<'a>(&self, arrived: &'a Arrived<'a>) -> Result<(), Lost> {
        let binding = Binding::new(Endpoint::of(arrived.link), arrived.cause);
        let served = self.cx.enter(|state, cx| {
            (self.serve)(state, &Context::new(cx, &binding), Incoming { arrived })
        });
        served.map(|Served { .. }| ())
    }

    fn before(&self) -> Option<&Rc<dyn Object>> {
        self.before.as_ref()
    }

    fn is_like(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| {
            let place = |before: &Option<Rc<dyn Object>>| before.as_ref().map(Rc::as_ptr);
            self.cx.is_of_same_node(&other.cx)
                && ptr::eq(self.interface, other.interface)
                && ptr::fn_addr_eq(self.serve, other.serve)
                && place(&self.before).map(<*const dyn Object>::cast::<()>)
                    == place(&other.before).map(<*const dyn Object>::cast::<()>)
        })
    }

    fn shares_methods(&self, cx: &dyn Any, interface: &'static Interface) -> bool {
        let same = cx.downcast_ref::<Cx<S>>().is_some_and(|cx| self.cx.is_of_same_node(cx));
        same && !ptr::eq(self.interface, interface)
    }
}

/// Lists all objects of a link, given the last.
fn all(last: Option<&Rc<dyn Object>>) -> impl Iterator<Item = &Rc<dyn Object>> {
    std::iter::successors(last, |object| object.before())
}

impl Endpoint {
    /// Serves `interface` here with an object; generated `bind` functions call it.
    ///
    /// Interfaces of one object may have methods in common, as those that extend the same one have:
    /// what was bound last answers these. An endpoint that is gone accepts the binding and does
    /// nothing.
    ///
    /// # Errors
    /// [`AlreadyBound`] if the interface is bound on this endpoint, or one of its methods with
    /// another object.
    pub fn bind<S: 'static>(
        &self,
        cx: &Cx<S>,
        interface: &'static Interface,
        serve: Serve<S>,
    ) -> Result<(), AlreadyBound> {
        self.link().map_or(Ok(()), |link| link.bind(cx, interface, serve))
    }
}

impl Link {
    /// Binds an object. Methods of another object that overlap are refused; of its own, the last
    /// that was bound is found.
    pub(crate) fn bind<S: 'static>(
        &self,
        cx: &Cx<S>,
        interface: &'static Interface,
        serve: Serve<S>,
    ) -> Result<(), AlreadyBound> {
        let before = self.live.borrow().as_ref().and_then(|live| live.bound.clone());
        // A method has one object on a connection, or which of two is called would depend on order.
        for object in all(before.as_ref()).filter(|object| !object.shares_methods(cx, interface)) {
            let taken = |method: &&&Method| object.method(method.id).is_some();
            if let Some(method) = interface.methods.iter().find(taken) {
                return Err(AlreadyBound { method: method.name });
            }
        }
        let object = BoundNode { cx: cx.clone(), interface, serve, before, last: Cell::new(None) };
        let context = self.context().share_bound(object);
        if let Some(live) = self.live.borrow_mut().as_mut() {
            live.bound = Some(context);
            live.session.serves();
        }
        Ok(())
    }
}

impl LinkContext {
    /// Returns the object itself, or one bound lately that does just the same: most connections of
    /// a process bind the same, and one is enough for all of them.
    fn share_bound<S: 'static>(&self, object: BoundNode<S>) -> Rc<dyn Object> {
        let mut bound = self.bound.borrow_mut();
        let like = |other: Rc<dyn Object>| other.is_like(&object).then_some(other);
        if let Some(same) = bound.iter().filter_map(Weak::upgrade).find_map(like) {
            return same;
        }
        let object: Rc<dyn Object> = Rc::new(object);
        // Servers bind the same on each connection: the last few are enough to find it again.
        bound.truncate(LATELY - 1);
        bound.push_front(Rc::downgrade(&object));
        object
    }
}
