//! Continuations: what happens next, exactly once.
//!
//! Nothing here runs a handler: resuming queues, always. Invariants:
//! 1. One box from birth to run: the box that waits is the box that is queued. Kept by the types.
//! 2. A continuation ends exactly once, by a value, an error, or being dropped; the types see to
//!    *at most* once, `Drop` to *at least* once. Kept by `tests/exactly_once.rs`.
//! 3. It is among the pending ones iff it has not ended. Kept by `leave`.

use crate::core::Core;
use crate::core::cause::Cause;
use crate::core::handle::Handle;
use crate::core::lost::Lost;
use crate::core::pending::Ticket;
use crate::core::receiver::{ContState, FromBytes, Receive, Receiver, make};
use crate::core::task::Task;
use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::thread;

/// Waits inside a continuation.
pub(crate) trait Arm<T, E> {
    /// Ends it with a value.
    fn ok(self: Box<Self>, value: T);
    /// Ends it with an error.
    fn err(self: Box<Self>, error: E);
    /// Ends it because nobody did.
    fn lose(self: Box<Self>);
    fn core(&self) -> &Rc<Core>;
    fn cause(&self) -> Cause;
    fn born(&self) -> &'static Location<'static>;
    /// Its entry among the pending continuations, if it has one of its own.
    fn ticket(&self) -> Ticket {
        Ticket::NONE
    }
    /// Returns whether resuming only queues; else it stores, and so may resume another one.
    fn queues(&self) -> bool {
        true
    }
    /// Waits for bytes from now on.
    fn receive(self: Box<Self>, read: &'static FromBytes<T, E>) -> Box<dyn Receive<E>>;
}

/// Holds what happens next, once: a boxed handler that waits for a `T` or an `E`.
///
/// Made by [`Cx::on`](crate::Cx::on) and its short forms inside a node, by [`Cont::new`] or
/// [`Cont::pair`] outside. [`ok`](Self::ok), [`err`](Self::err) and [`resume`](Self::resume) use it
/// up and only *queue* the handler: whoever calls them goes on first. A continuation that is
/// dropped instead fails with a [`Lost`], so whoever waits is told.
///
/// ```
/// use peers_kernel::{Cont, Kernel, Lost};
///
/// let mut kernel = Kernel::simulated(1);
/// let show = Cont::new(&kernel.handle(), |answer: Result<u32, Lost>| assert_eq!(answer, Ok(42)));
/// show.ok(42);
/// kernel.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// It cannot be resumed twice:
///
/// ```compile_fail,E0382
/// # use peers_kernel::{Cont, Kernel, Lost};
/// # let kernel = Kernel::simulated(1);
/// let reply = Cont::new(&kernel.handle(), |_: Result<u32, Lost>| ());
/// reply.ok(1);
/// reply.err(Lost::Dropped); // used up by `ok`
/// ```
///
/// One reply does not do for a whole loop; use a [`Collect`](crate::Collect), whose branches do:
///
/// ```compile_fail,E0382
/// # use peers_kernel::{Cont, Kernel, Lost};
/// # let kernel = Kernel::simulated(1);
/// let reply = Cont::new(&kernel.handle(), |_: Result<u32, Lost>| ());
/// for answer in [1, 2] {
///     reply.ok(answer); // used up in the previous round
/// }
/// ```
///
/// And it stays on the loop's thread; other threads use a [`Remote`](crate::Remote):
///
/// ```compile_fail,E0277
/// # use peers_kernel::{Cont, Kernel, Lost};
/// # let kernel = Kernel::simulated(1);
/// let reply = Cont::new(&kernel.handle(), |_: Result<u32, Lost>| ());
/// std::thread::spawn(move || reply.ok(1));
/// ```
#[must_use = "dropping a continuation fails whoever waits for it"]
pub struct Cont<T, E> {
    arm: Option<Box<dyn Arm<T, E>>>,
}

/// A handler and, later, its argument.
struct Armed<F, T: 'static, E: 'static> {
    /// `None` once it is queued: then the loop hands it in.
    core: Option<Rc<Core>>,
    cause: Cause,
    born: &'static Location<'static>,
    ticket: Ticket,
    state: ContState<T, E>,
    f: F,
}

impl<F, T, E> Arm<T, E> for Armed<F, T, E>
where
    F: FnOnce(&Rc<Core>, Result<T, E>) + 'static,
    T: 'static,
    E: From<Lost> + 'static,
{
    #[inline]
    fn ok(mut self: Box<Self>, value: T) {
        self.state = ContState::Value(value);
        self.queue()
    }

    #[inline]
    fn err(mut self: Box<Self>, error: E) {
        self.state = ContState::Error(error);
        self.queue()
    }

    fn lose(mut self: Box<Self>) {
        let why = why_lost(Arm::core(&*self));
        log::debug!("a continuation was lost ({why}); it was made at {}", self.born);
        self.state = ContState::Error(why.into());
        self.queue()
    }

    fn receive(mut self: Box<Self>, read: &'static FromBytes<T, E>) -> Box<dyn Receive<E>> {
        // It is; but told so, the compiler drops nothing of what was there.
        if let ContState::Waiting = self.state {
            self.state = ContState::Reading(read);
        }
        self
    }

    fn core(&self) -> &Rc<Core> {
        self.core.as_ref().expect("it is taken only by queueing, which uses the continuation up")
    }

    fn cause(&self) -> Cause {
        self.cause
    }

    fn born(&self) -> &'static Location<'static> {
        self.born
    }

    fn ticket(&self) -> Ticket {
        self.ticket
    }
}

impl<F, T, E> Receive<E> for Armed<F, T, E>
where
    F: FnOnce(&Rc<Core>, Result<T, E>) + 'static,
    T: 'static,
    E: From<Lost> + 'static,
{
    fn bytes(self: Box<Self>, bytes: &[u8], what: &'static str) {
        self.make(|read| (read.borrowed)(bytes, what))
    }

    fn owned_bytes(self: Box<Self>, memory: &mut Vec<u8>, what: &'static str) {
        self.make(|read| (read.owned)(memory, what))
    }

    fn fail(self: Box<Self>, error: E) {
        Arm::err(self, error)
    }

    fn lose(self: Box<Self>) {
        Arm::lose(self)
    }
}

impl<F, T, E> Armed<F, T, E>
where
    F: FnOnce(&Rc<Core>, Result<T, E>) + 'static,
    T: 'static,
    E: From<Lost> + 'static,
{
    #[inline(never)]
    fn queue(mut self: Box<Self>) {
        // Taken, so that a box in the queue does not keep the core alive that holds the queue.
        let Some(core) = self.core.take() else { return };
        core.resume(self.ticket, self.cause, self)
    }

    /// Makes the value, and queues the handler with it.
    #[inline]
    fn make(mut self: Box<Self>, read: impl FnOnce(&FromBytes<T, E>) -> Result<T, E>) {
        let Some(core) = self.core.take() else { return };
        if let ContState::Reading(how) = self.state {
            self.state = ContState::of(make(&core, self.born, || read(how)));
        }
        core.resume(self.ticket, self.cause, self)
    }
}

impl<F, T: 'static, E: 'static> Task for Armed<F, T, E>
where
    F: FnOnce(&Rc<Core>, Result<T, E>),
{
    fn run(self: Box<Self>, core: &Rc<Core>) {
        core.running(self.born);
        // Taken out of the box in the portions it was stored in: see `Plain::boxed`.
        let result = match self.state {
            ContState::Value(value) => Ok(value),
            ContState::Error(error) => Err(error),
            // It is queued by having got one of them.
            ContState::Waiting | ContState::Reading(_) => {
                debug_assert!(false, "queued without an outcome");
                return;
            }
        };
        (self.f)(core, result)
    }

    fn born(&self) -> &'static Location<'static> {
        self.born
    }
}

/// Returns what a continuation reports that is dropped right now.
pub(crate) fn why_lost(core: &Core) -> Lost {
    if thread::panicking() { Lost::Panicked } else { core.loss.get() }
}

impl<T: 'static, E: From<Lost> + 'static> Cont<T, E> {
    /// Makes a continuation of one handler that gets either outcome, outside of any node.
    #[track_caller]
    pub fn new(handle: &Handle, f: impl FnOnce(Result<T, E>) + 'static) -> Self {
        Self::made_at(Location::caller(), &handle.core, move |_, result| f(result))
    }

    /// Makes a continuation of two functions, one for a value and one for an error, joined so that
    /// exactly one of them runs, once.
    ///
    /// ```
    /// use peers_kernel::{Cont, Kernel, Lost};
    ///
    /// let mut kernel = Kernel::simulated(1);
    /// let handle = kernel.handle();
    /// let found = Cont::pair(&handle, |n: u32| assert_eq!(n, 7), |lost: Lost| panic!("{lost}"));
    /// found.ok(7);
    /// kernel.run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn pair(
        handle: &Handle,
        continuation: impl FnOnce(T) + 'static,
        error_handler: impl FnOnce(E) + 'static,
    ) -> Self {
        Self::made_at(Location::caller(), &handle.core, move |_, result| match result {
            Ok(value) => continuation(value),
            Err(error) => error_handler(error),
        })
    }

    /// Takes it apart into two functions again: the first one called ends the continuation, the
    /// other then does nothing. Dropping both is dropping it.
    pub fn split(self) -> (impl FnOnce(T) + use<T, E>, impl FnOnce(E) + use<T, E>) {
        let ok = Rc::new(Cell::new(Some(self)));
        let err = ok.clone();
        let continuation = move |value| {
            if let Some(k) = ok.take() {
                k.ok(value)
            }
        };
        let error_handler = move |error: E| {
            if let Some(k) = err.take() {
                k.err(error)
            }
        };
        (continuation, error_handler)
    }

    /// Makes a continuation whose handler is called with the core.
    pub(crate) fn made_at<F>(born: &'static Location<'static>, core: &Rc<Core>, f: F) -> Self
    where
        F: FnOnce(&Rc<Core>, Result<T, E>) + 'static,
    {
        let ticket = core.pending.enter(born, core.now());
        let (core, cause) = (core.clone(), core.cause.get());
        let room = Box::<Armed<F, T, E>>::new_uninit();
        let arm: Box<Armed<F, T, E>> = Box::write(
            room,
            Armed { core: Some(core), cause, born, ticket, state: ContState::Waiting, f },
        );
        Self::of(arm)
    }
}

impl<T, E> Cont<T, E> {
    pub(crate) fn of(arm: Box<dyn Arm<T, E>>) -> Self {
        Self { arm: Some(arm) }
    }

    /// Queues the handler with a value.
    #[inline]
    pub fn ok(mut self, value: T) {
        if let Some(arm) = self.arm.take() {
            arm.ok(value)
        }
    }

    /// Queues the handler with an error.
    #[inline]
    pub fn err(mut self, error: impl Into<E>) {
        // Before anything is taken: if the conversion panics, whoever waits is told.
        let error = error.into();
        if let Some(arm) = self.arm.take() {
            arm.err(error)
        }
    }

    /// Lets it wait for bytes, of which `read` makes its value: see [`Receiver`].
    #[inline]
    pub fn receiver(mut self, read: &'static FromBytes<T, E>) -> Receiver<E> {
        Receiver { arm: self.arm.take().map(|arm| arm.receive(read)) }
    }

    /// Queues the handler with an outcome.
    #[inline]
    pub fn resume(self, result: Result<T, E>) {
        match result {
            Ok(value) => self.ok(value),
            Err(error) => self.err(error),
        }
    }

    /// Hands it to `f`. Whether `f` has ended it, by an outcome or by dropping it, when it returns:
    /// the handler is queued then, and whoever has asked for the outcome waits for nobody else. Of
    /// one that is a part of another, such as a branch of a [`Collect`](crate::Collect), nobody can
    /// tell: that is false.
    ///
    /// `f` may hand on others, end those that were handed on around it, and panic.
    ///
    /// ```
    /// use peers_kernel::{Cont, Kernel, Lost};
    ///
    /// let kernel = Kernel::simulated(1);
    /// let reply = || Cont::new(&kernel.handle(), |_: Result<u32, Lost>| ());
    /// assert!(reply().hand_to(|reply| reply.ok(1)));
    /// let mut later = None;
    /// assert!(!reply().hand_to(|reply| later = Some(reply)));
    /// ```
    pub fn hand_to(self, f: impl FnOnce(Self)) -> bool {
        let (core, ticket) = (self.core().clone(), self.waiting().ticket());
        // A branch of a barrier has none: that it has ended does not mean that anybody is told.
        if ticket == Ticket::NONE {
            f(self);
            return false;
        }
        let watch = core.pending.watch(ticket);
        f(self);
        watch.has_ended()
    }

    /// Returns on whose behalf the handler will run: the cause of the task that made this.
    pub fn cause(&self) -> Cause {
        self.waiting().cause()
    }

    /// Returns the loop the handler will run on.
    pub fn handle(&self) -> Handle {
        Handle { core: self.core().clone() }
    }

    pub(crate) fn core(&self) -> &Rc<Core> {
        self.waiting().core()
    }

    pub(crate) fn born(&self) -> &'static Location<'static> {
        self.waiting().born()
    }

    pub(crate) fn queues(&self) -> bool {
        self.waiting().queues()
    }

    fn waiting(&self) -> &dyn Arm<T, E> {
        self.arm
            .as_deref()
            .expect("only resuming and dropping take it, and both use the continuation up")
    }
}

/// Fails it: nobody resumed it.
impl<T, E> Drop for Cont<T, E> {
    #[inline]
    fn drop(&mut self) {
        if let Some(arm) = self.arm.take() {
            arm.lose()
        }
    }
}

impl<T, E> fmt::Debug for Cont<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let born = self.arm.as_ref().map(|arm| arm.born());
        f.debug_struct("Cont")
            .field("born", &born.map(ToString::to_string))
            .field("cause", &self.cause())
            .finish()
    }
}
