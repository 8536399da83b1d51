//! Nodes: state that only the loop enters, and the context its handlers get.
//!
//! Invariants:
//! 1. At most one handler is on the stack, so a node's state is never found borrowed by another.
//!    Kept by `enter`, `entering_from_inside_a_node_is_refused`.
//! 2. [`Node`] is the one strong owner; a [`Cx`], and every continuation made by it, is weak. Kept
//!    by `a_context_does_not_keep_the_state_alive_and_a_parent_may_own_children`.
//! 3. A panic leaves the node alive; what the handler owed is reported as lost. Kept by
//!    `the_caller_gets_an_error_and_the_node_lives_on`.

pub(crate) mod collect;

use crate::core::Core;
use crate::core::cont::Cont;
use crate::core::handle::Handle;
use crate::core::lost::{Lost, Overloaded};
use crate::core::offload::Stop;
use crate::core::task::Plain;
use crate::core::timers::TimerId;
use crate::host::throttle::may_log;
use crate::host::time::Instant;
use std::any::type_name;
use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Owns a piece of state that handlers get as `&mut`. Dropping it makes everything bound to it
/// inert.
///
/// ```
/// use peers_kernel::Kernel;
///
/// let mut kernel = Kernel::simulated(1);
/// let counter = kernel.node(0);
/// counter.cx().schedule(|count, _| *count += 1);
/// kernel.run()?;
/// assert_eq!(counter.with(|count| *count), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Node<S: 'static> {
    cell: Rc<NodeCell<S>>,
}

impl Handle {
    /// Makes a node that owns `state`, as [`Kernel::node`](crate::Kernel::node) does.
    pub fn node<S: 'static>(&self, state: S) -> Node<S> {
        Node::new(self.clone(), state)
    }
}

/// A node as its handlers see it: weak, cloneable, and where continuations are made.
pub struct Cx<S: 'static> {
    handle: Handle,
    cell: Weak<NodeCell<S>>,
}

/// The state, and the context that its handlers borrow.
struct NodeCell<S: 'static> {
    cx: Cx<S>,
    /// `None` only while it is dropped.
    state: RefCell<Option<S>>,
}

impl<S: 'static> Node<S> {
    pub(crate) fn new(handle: Handle, state: S) -> Self {
        let cell = Rc::new_cyclic(|cell| NodeCell {
            cx: Cx { handle, cell: cell.clone() },
            state: RefCell::new(Some(state)),
        });
        Self { cell }
    }

    /// Returns its context, to hand around.
    pub fn cx(&self) -> Cx<S> {
        self.cell.cx.clone()
    }

    /// Looks at the state from outside the loop.
    ///
    /// # Panics
    ///
    /// Inside the node's own handlers, which have the state already.
    pub fn with<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        let state = self.cell.state.borrow();
        look(state.as_ref().expect("a node has its state as long as someone owns it"))
    }
}

impl<S: 'static> Drop for NodeCell<S> {
    fn drop(&mut self) {
        let core = &self.cx.handle.core;
        // Before the state goes: by now no handler can ask for more work in its name.
        core.works.stop_owned_by(core, self.cx.identity());
        core.lose(Lost::OwnerGone, self.state.get_mut().take())
    }
}

/// Runs `f` inside a node; `None` if it is gone, and then what `f` owns is lost.
#[inline]
fn visit<S, R>(
    core: &Core,
    cell: &Weak<NodeCell<S>>,
    f: impl FnOnce(&mut S, &Cx<S>) -> R,
) -> Option<R> {
    let Some(cell) = cell.upgrade() else {
        core.lose(Lost::OwnerGone, f);
        return None;
    };
    // Only `Node::with`, from outside the loop, can be looking at it.
    let Ok(mut state) = cell.state.try_borrow_mut() else {
        if may_log() {
            let state = type_name::<S>();
            log::error!("{state} was entered while someone looked at it: the handler is dropped");
        }
        return None;
    };
    let state = state.as_mut()?;
    let outer = core.inside.replace(true);
    let result = f(state, &cell.cx);
    core.inside.set(outer);
    Some(result)
}

impl<S: 'static> Cx<S> {
    /// Returns the loop.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Returns whether both are contexts of one node.
    pub fn is_of_same_node(&self, other: &Self) -> bool {
        Weak::ptr_eq(&self.cell, &other.cell)
    }

    /// Makes a continuation of two handlers, of which exactly one runs, inside the node, and
    /// receives `with`: usually the reply they owe. Method paths fit: `cx.on((key, reply),
    /// Self::found, Self::failed)`.
    #[track_caller]
    pub fn on<W, T, E>(
        &self,
        with: W,
        ok: impl FnOnce(&mut S, &Self, T, W) + 'static,
        err: impl FnOnce(&mut S, &Self, E, W) + 'static,
    ) -> Cont<T, E>
    where
        W: 'static,
        T: 'static,
        E: From<Lost> + 'static,
    {
        let cell = self.cell.clone();
        Cont::made_at(Location::caller(), &self.handle.core, move |core, result| {
            visit(core, &cell, move |state, cx| match result {
                Ok(value) => ok(state, cx, value, with),
                Err(error) => err(state, cx, error, with),
            });
        })
    }

    /// Makes a continuation of one handler that gets either outcome.
    #[track_caller]
    pub fn on_any<T, E>(&self, f: impl FnOnce(&mut S, &Self, Result<T, E>) + 'static) -> Cont<T, E>
    where
        T: 'static,
        E: From<Lost> + 'static,
    {
        let cell = self.cell.clone();
        Cont::made_at(Location::caller(), &self.handle.core, move |core, result| {
            visit(core, &cell, move |state, cx| f(state, cx, result));
        })
    }

    /// Makes a continuation of a handler for success, which gets `reply` to pass on; an error goes
    /// to `reply` at once.
    #[track_caller]
    pub fn on_ok<T, U, E>(
        &self,
        reply: Cont<U, E>,
        f: impl FnOnce(&mut S, &Self, T, Cont<U, E>) + 'static,
    ) -> Cont<T, E>
    where
        T: 'static,
        U: 'static,
        E: From<Lost> + 'static,
    {
        let cell = self.cell.clone();
        Cont::made_at(Location::caller(), &self.handle.core, move |core, result| match result {
            Ok(value) => {
                visit(core, &cell, move |state, cx| f(state, cx, value, reply));
            }
            Err(error) => reply.err(error),
        })
    }

    /// Makes a continuation of a handler for failure, which gets `reply` to pass on; a value goes
    /// to `reply` at once.
    #[track_caller]
    pub fn on_err<T, E>(
        &self,
        reply: Cont<T, E>,
        f: impl FnOnce(&mut S, &Self, E, Cont<T, E>) + 'static,
    ) -> Cont<T, E>
    where
        T: 'static,
        E: From<Lost> + 'static,
    {
        let cell = self.cell.clone();
        Cont::made_at(Location::caller(), &self.handle.core, move |core, result| match result {
            Ok(value) => reply.ok(value),
            Err(error) => {
                visit(core, &cell, move |state, cx| f(state, cx, error, reply));
            }
        })
    }

    /// Queues a handler.
    #[track_caller]
    pub fn schedule(&self, f: impl FnOnce(&mut S, &Self) + 'static) {
        let core = &self.handle.core;
        core.push(core.cause.get(), self.boxed(Location::caller(), f))
    }

    /// Queues a handler when `delay` has passed. Inert if the node is gone by then.
    #[track_caller]
    pub fn after(&self, delay: Duration, f: impl FnOnce(&mut S, &Self) + 'static) -> TimerId {
        let core = &self.handle.core;
        core.at_for_running(core.now() + delay, self.boxed(Location::caller(), f))
    }

    /// Queues a handler at a point in time; at once if that is past.
    #[track_caller]
    pub fn at(&self, at: Instant, f: impl FnOnce(&mut S, &Self) + 'static) -> TimerId {
        self.handle.core.at_for_running(at, self.boxed(Location::caller(), f))
    }

    /// Makes a plain task that enters the node, for whatever takes one. It enters when it is
    /// called, so give it to the loop and do not call it inside a node.
    pub fn task<F>(&self, f: F) -> impl FnOnce() + use<S, F>
    where
        F: FnOnce(&mut S, &Self) + 'static,
    {
        let cx = self.clone();
        move || {
            visit(&cx.handle.core, &cx.cell, f);
        }
    }

    /// Does what [`Handle::offload`] does, with [`Stop`] also set when the node is gone.
    #[track_caller]
    pub fn offload<T, E>(
        &self,
        work: impl FnOnce(&Stop) -> Result<T, E> + Send + 'static,
        k: Cont<T, E>,
    ) where
        T: Send + 'static,
        E: From<Lost> + From<Overloaded> + Send + 'static,
    {
        crate::core::offload::offload(
            &self.handle.core,
            Location::caller(),
            Some(self.identity()),
            work,
            k,
        )
    }

    /// Runs `f` inside the node, *now*: for code that is itself a task, such as a protocol's, and
    /// hands out requests as it reads them. A panic in `f` is caught and logged here and leaves
    /// both the node and the calling task alive.
    ///
    /// Call it only from a task that is not inside a node (a stream's handler,
    /// [`Handle::schedule`]), or from outside the loop's turn.
    ///
    /// # Errors
    ///
    /// [`Lost::OwnerGone`] if the node is gone, [`Lost::Panicked`] if `f` panicked,
    /// [`Lost::Dropped`] if a node's handler is on the stack already: `f` does not run then, and a
    /// debug build stops at an assertion. What `f` owns is lost for the same reason.
    #[track_caller]
    pub fn enter<R>(&self, f: impl FnOnce(&mut S, &Self) -> R) -> Result<R, Lost> {
        let core = &self.handle.core;
        if core.inside.get() {
            debug_assert!(false, "Cx::enter inside a node's handler: use Cx::schedule");
            return Err(Lost::Dropped);
        }
        // The calling task goes on under its own name, whatever `f` was made at.
        let outer = core.meter.place();
        let visited = core.catch(Location::caller(), || visit(core, &self.cell, f));
        core.running(outer);
        match visited {
            Some(Some(value)) => Ok(value),
            Some(None) => Err(Lost::OwnerGone),
            None => Err(Lost::Panicked),
        }
    }

    /// Runs `f` inside the node as part of the running task, whose panics the loop catches; `None`
    /// if it is gone.
    pub(crate) fn visit<R>(&self, f: impl FnOnce(&mut S, &Self) -> R) -> Option<R> {
        visit(&self.handle.core, &self.cell, f)
    }

    fn boxed(
        &self,
        born: &'static Location<'static>,
        f: impl FnOnce(&mut S, &Self) + 'static,
    ) -> Box<dyn crate::core::task::Task> {
        let cell = self.cell.clone();
        Plain::boxed(born, move |core| {
            visit(core, &cell, f);
        })
    }

    /// Returns a number that all contexts of one node share, and no other's while one of them
    /// lives.
    fn identity(&self) -> usize {
        self.cell.as_ptr().addr()
    }
}

impl<S> Clone for Cx<S> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), cell: self.cell.clone() }
    }
}

/// Equal iff they are contexts of the same node.
impl<S> PartialEq for Cx<S> {
    fn eq(&self, other: &Self) -> bool {
        self.cell.ptr_eq(&other.cell)
    }
}

impl<S> Eq for Cx<S> {}

impl<S> fmt::Debug for Cx<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cx<{}>", type_name::<S>())
    }
}

impl<S> fmt::Debug for Node<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node<{}>", type_name::<S>())
    }
}
