//! Continuations that wait for bytes: what comes from outside, before anybody knows its type.
//!
//! A table that matches answers with questions holds continuations of many types. A
//! [`Receiver`] is what fits there: the type is forgotten, and no second box is needed for
//! remembering how to make a value of it.
//!
//! Invariants:
//! 1. The box of the continuation is the box that waits here. Kept by the types.
//! 2. As a continuation, it ends exactly once; if making the value panics, it is lost like one
//!    whose handler panicked. Kept by `a_late_value_that_panics_on_drop_harms_nobody`.

use crate::core::Core;
use crate::core::lost::Lost;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

/// Says how bytes become a value, or the error that they are none. The name says what the bytes
/// answer, for that error.
#[derive(Debug)]
pub struct FromBytes<T, E> {
    /// Out of bytes that belong to somebody else.
    pub borrowed: fn(&[u8], &'static str) -> Result<T, E>,
    /// Out of the bytes of this vector, whose memory may be taken.
    pub owned: fn(&mut Vec<u8>, &'static str) -> Result<T, E>,
}

/// Says what a continuation waits for, and then what it got.
pub(crate) enum ContState<T: 'static, E: 'static> {
    Waiting,
    /// Bytes, of which this makes a value.
    Reading(&'static FromBytes<T, E>),
    Value(T),
    Error(E),
}

impl<T, E> ContState<T, E> {
    #[inline]
    pub(crate) fn of(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => Self::Value(value),
            Err(error) => Self::Error(error),
        }
    }
}

/// Makes the value that a continuation made at `born` waits for. A panic meanwhile is reported, and
/// is its misfortune.
#[inline]
pub(crate) fn make<T, E: From<Lost>>(
    core: &Core,
    born: &'static Location<'static>,
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|payload| {
        // Reported for whoever waits, since the bytes may be a stranger's.
        core.report_panic(born, payload);
        Err(Lost::Panicked.into())
    })
}

/// Waits inside a receiver.
pub(crate) trait Receive<E> {
    /// Ends it with the value that these bytes make.
    fn bytes(self: Box<Self>, bytes: &[u8], what: &'static str);
    /// Gives the bytes likewise, and the value may keep their memory.
    fn owned_bytes(self: Box<Self>, memory: &mut Vec<u8>, what: &'static str);
    /// Ends it with an error.
    fn fail(self: Box<Self>, error: E);
    /// Ends it because nobody did.
    fn lose(self: Box<Self>);
}

/// A continuation that waits for bytes, made by [`Cont::receiver`](crate::Cont::receiver).
///
/// ```
/// use peers_kernel::{Cont, FromBytes, Kernel, Lost};
///
/// const LENGTH: FromBytes<usize, Lost> =
///     FromBytes { borrowed: |bytes, _| Ok(bytes.len()), owned: |memory, _| Ok(memory.len()) };
/// const COPY: FromBytes<Vec<u8>, Lost> = FromBytes {
///     borrowed: |bytes, _| Ok(bytes.to_vec()),
///     owned: |memory, _| Ok(std::mem::take(memory)),
/// };
///
/// let mut kernel = Kernel::simulated(1);
/// let length = Cont::new(&kernel.handle(), |n: Result<usize, Lost>| assert_eq!(n, Ok(5)));
/// let copy = Cont::new(&kernel.handle(), |copy| assert_eq!(copy, Ok(b"dunes".to_vec())));
/// let kept = Cont::new(&kernel.handle(), |kept| assert_eq!(kept, Ok(b"sand".to_vec())));
/// for receiver in [length.receiver(&LENGTH), copy.receiver(&COPY)] {
///     receiver.bytes(b"dunes", "the planet");
/// }
/// kept.receiver(&COPY).owned_bytes(&mut b"sand".to_vec(), "the planet");
/// kernel.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropping a receiver fails whoever waits for it"]
pub struct Receiver<E> {
    pub(crate) arm: Option<Box<dyn Receive<E>>>,
}

impl<E> Receiver<E> {
    /// Makes the value and queues the handler with it, or with the error that it is none. `what`
    /// names what the bytes answer. If making it panics, that is logged, and the handler gets
    /// [`Lost::Panicked`].
    #[inline]
    pub fn bytes(mut self, bytes: &[u8], what: &'static str) {
        if let Some(arm) = self.arm.take() {
            arm.bytes(bytes, what)
        }
    }

    /// Resumes with bytes whose memory the value may take, and leaves empty then. What they are is
    /// agreed upon with whoever made the receiver.
    pub fn owned_bytes(mut self, memory: &mut Vec<u8>, what: &'static str) {
        if let Some(arm) = self.arm.take() {
            arm.owned_bytes(memory, what)
        }
    }

    /// Queues the handler with an error.
    pub fn err(mut self, error: impl Into<E>) {
        // Before anything is taken: if the conversion panics, whoever waits is told.
        let error = error.into();
        if let Some(arm) = self.arm.take() {
            arm.fail(error)
        }
    }
}

impl<E: 'static> Receiver<E> {
    /// Lets `change` look at the error that it is going to be told, if it is told one.
    ///
    /// ```
    /// use peers_kernel::{Cont, FromBytes, Kernel, Lost};
    ///
    /// const LENGTH: FromBytes<usize, Lost> =
    ///     FromBytes { borrowed: |bytes, _| Ok(bytes.len()), owned: |memory, _| Ok(memory.len()) };
    ///
    /// let mut kernel = Kernel::simulated(1);
    /// let length = Cont::new(&kernel.handle(), |n| assert_eq!(n, Err(Lost::Panicked)));
    /// let receiver = length.receiver(&LENGTH).map_err(|_| Lost::Panicked);
    /// receiver.err(Lost::OwnerGone);
    /// kernel.run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn map_err(mut self, change: impl FnOnce(E) -> E + 'static) -> Self {
        let arm = self.arm.take();
        Self { arm: arm.map(|arm| Box::new(Changed { arm, change }) as Box<dyn Receive<E>>) }
    }
}

/// A receiver whose error is changed on the way.
struct Changed<E, F> {
    arm: Box<dyn Receive<E>>,
    change: F,
}

impl<E, F: FnOnce(E) -> E> Receive<E> for Changed<E, F> {
    fn bytes(self: Box<Self>, bytes: &[u8], what: &'static str) {
        self.arm.bytes(bytes, what)
    }

    fn owned_bytes(self: Box<Self>, memory: &mut Vec<u8>, what: &'static str) {
        self.arm.owned_bytes(memory, what)
    }

    fn fail(self: Box<Self>, error: E) {
        let Self { arm, change } = *self;
        arm.fail(change(error))
    }

    fn lose(self: Box<Self>) {
        self.arm.lose()
    }
}

/// Fails it: nothing has come.
impl<E> Drop for Receiver<E> {
    #[inline]
    fn drop(&mut self) {
        if let Some(arm) = self.arm.take() {
            arm.lose()
        }
    }
}

impl<E> fmt::Debug for Receiver<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
