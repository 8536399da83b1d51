//! Barriers: one continuation that waits for many.
//!
//! A barrier is a reference count. Every branch holds the gate, and so does the [`Collect`]; the
//! gate opens when the last of them is gone, however it went. Invariants:
//! 1. A gate opens exactly once, and cannot hang: a branch that is dropped is an outcome like any
//!    other. Kept by `store`, `a_barrier_without_branches_opens_when_dropped`.
//! 2. A branch remembers its place, so outcomes come in the order the branches were made. Kept by
//!    `all_passes_on_every_outcome_in_branch_order`.
//! 3. No handler runs here: a branch stores, the gate queues. Kept by
//!    `the_last_branch_of_a_barrier_does_not_run_what_waits_behind_it`.

use crate::core::Core;
use crate::core::cause::Cause;
use crate::core::cont::{Arm, Cont, why_lost};
use crate::core::lost::Lost;
use crate::core::pending::Ticket;
use crate::core::receiver::{FromBytes, Receive, make};
use crate::core::task::Plain;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// Waits for many outcomes and passes them on as one: hand out a [`branch`](Self::branch) for each,
/// then let go.
///
/// It opens when the `Collect` itself and all its branches are gone; with no branch at all, at
/// once.
///
/// ```
/// use peers_kernel::{Collect, Cont, Kernel, Lost};
///
/// let mut kernel = Kernel::simulated(1);
/// let sum = Cont::new(&kernel.handle(), |parts: Result<Vec<u32>, Lost>| {
///     assert_eq!(parts, Ok(vec![1, 2, 3]));
/// });
/// let parts = Collect::values(sum);
/// for part in 1..=3 {
///     parts.branch().ok(part);
/// }
/// drop(parts);
/// kernel.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a barrier without branches opens at once"]
pub struct Collect<T: 'static, E: From<Lost> + 'static> {
    gate: Rc<Gate<T, E>>,
}

/// Says who waits behind a gate, and for what.
enum Done<T, E> {
    All(Cont<Vec<Result<T, E>>, E>),
    Values(Cont<Vec<T>, E>),
    FirstError(Cont<Vec<T>, E>),
}

/// Holds what the branches share.
struct Gate<T: 'static, E: From<Lost> + 'static> {
    core: Rc<Core>,
    outcomes: RefCell<Vec<Option<Result<T, E>>>>,
    /// `None` iff it has opened.
    done: Cell<Option<Done<T, E>>>,
}

/// Holds what waits inside the continuation of one branch.
struct Branch<T: 'static, E: From<Lost> + 'static> {
    gate: Rc<Gate<T, E>>,
    index: usize,
    cause: Cause,
    born: &'static Location<'static>,
    ticket: Ticket,
    /// Holds what makes its value of bytes, if it waits for those.
    read: Option<&'static FromBytes<T, E>>,
}

impl<T: 'static, E: From<Lost> + 'static> Collect<T, E> {
    /// Waits for every outcome, and passes all of them on.
    pub fn all(done: Cont<Vec<Result<T, E>>, E>) -> Self {
        Self::new(done.core().clone(), Done::All(done))
    }

    /// Waits for every outcome, and passes the successes on.
    pub fn values(done: Cont<Vec<T>, E>) -> Self {
        Self::new(done.core().clone(), Done::Values(done))
    }

    /// Waits for every value; the first failure is passed on at once, and later outcomes are
    /// dropped.
    pub fn first_error(done: Cont<Vec<T>, E>) -> Self {
        Self::new(done.core().clone(), Done::FirstError(done))
    }

    fn new(core: Rc<Core>, done: Done<T, E>) -> Self {
        Self {
            gate: Rc::new(Gate { core, outcomes: RefCell::default(), done: Cell::new(Some(done)) }),
        }
    }

    /// Makes a continuation for the next place.
    #[track_caller]
    pub fn branch(&self) -> Cont<T, E> {
        let mut outcomes = self.gate.outcomes.borrow_mut();
        let index = outcomes.len();
        outcomes.push(None);
        let (core, born) = (&self.gate.core, Location::caller());
        let ticket = core.pending.enter(born, core.now());
        Cont::of(Box::new(Branch {
            gate: self.gate.clone(),
            index,
            cause: core.cause.get(),
            born,
            ticket,
            read: None,
        }))
    }
}

impl<T: 'static, E: From<Lost> + 'static> Arm<T, E> for Branch<T, E> {
    fn ok(self: Box<Self>, value: T) {
        self.end(Ok(value))
    }

    fn err(self: Box<Self>, error: E) {
        self.end(Err(error))
    }

    fn lose(self: Box<Self>) {
        let why = why_lost(&self.gate.core);
        self.end(Err(why.into()))
    }

    fn core(&self) -> &Rc<Core> {
        &self.gate.core
    }

    fn cause(&self) -> Cause {
        self.cause
    }

    fn born(&self) -> &'static Location<'static> {
        self.born
    }

    fn queues(&self) -> bool {
        false
    }

    fn receive(mut self: Box<Self>, read: &'static FromBytes<T, E>) -> Box<dyn Receive<E>> {
        self.read = Some(read);
        self
    }
}

impl<T: 'static, E: From<Lost> + 'static> Receive<E> for Branch<T, E> {
    fn bytes(self: Box<Self>, bytes: &[u8], what: &'static str) {
        match self.read {
            Some(read) => self.end_with_made(|| (read.borrowed)(bytes, what)),
            None => Arm::lose(self),
        }
    }

    fn owned_bytes(self: Box<Self>, memory: &mut Vec<u8>, what: &'static str) {
        match self.read {
            Some(read) => self.end_with_made(|| (read.owned)(memory, what)),
            None => Arm::lose(self),
        }
    }

    fn fail(self: Box<Self>, error: E) {
        self.end(Err(error))
    }

    fn lose(self: Box<Self>) {
        Arm::lose(self)
    }
}

impl<T: 'static, E: From<Lost> + 'static> Branch<T, E> {
    fn end_with_made(&self, read: impl FnOnce() -> Result<T, E>) {
        let (core, born) = (&self.gate.core, self.born);
        let result = make(core, born, read);
        // What came too late is dropped here, which is the program's code as well.
        let _caught = core.catch(born, || self.end(result));
    }

    fn end(&self, result: Result<T, E>) {
        // The ticket first: what storing drops is the program's code, and may look at the dump.
        self.gate.core.pending.leave(self.ticket);
        self.gate.store(self.index, result)
    }
}

impl<T: 'static, E: From<Lost> + 'static> Gate<T, E> {
    fn store(&self, index: usize, result: Result<T, E>) {
        // Taken while it is decided, so that no code of the program finds it half decided.
        let outcome = match (self.done.take(), result) {
            (Some(Done::FirstError(done)), Err(error)) => return self.pass(done, Err(error)),
            (None, late) => return drop(late),
            (done, result) => {
                self.done.set(done);
                result
            }
        };
        let earlier = self.outcomes.borrow_mut()[index].replace(outcome);
        debug_assert!(earlier.is_none(), "a branch ends once");
    }

    /// Resumes who waits behind the gate. If that is a branch of another barrier, which stores
    /// instead of queueing, it is done from the queue, so that barriers in barriers do not nest on
    /// the stack.
    fn pass<U: 'static>(&self, done: Cont<U, E>, result: Result<U, E>) {
        if done.queues() {
            return done.resume(result);
        }
        let (cause, born) = (done.cause(), done.born());
        self.core.push(cause, Plain::boxed(born, move |_| done.resume(result)))
    }
}

/// Opens the gate: the last branch is gone.
impl<T: 'static, E: From<Lost> + 'static> Drop for Gate<T, E> {
    fn drop(&mut self) {
        // Of the first error somebody was told before: there is nothing left to open.
        let Some(done) = self.done.take() else { return };
        let outcomes = self
            .outcomes
            .take()
            .into_iter()
            .map(|outcome| outcome.unwrap_or(Err(Lost::Dropped.into())));
        match done {
            Done::All(done) => self.pass(done, Ok(outcomes.collect())),
            Done::Values(done) => self.pass(done, Ok(outcomes.flatten().collect())),
            Done::FirstError(done) => self.pass(done, outcomes.collect()),
        }
    }
}

impl<T: 'static, E: From<Lost> + 'static> fmt::Debug for Collect<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collect")
            .field("branches", &self.gate.outcomes.borrow().len())
            .finish_non_exhaustive()
    }
}
