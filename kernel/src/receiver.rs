//! Continuations that wait for bytes: what comes from outside, before anybody knows its type.
//!
//! Whoever matches answers with questions keeps continuations of many types in one table. A [`Receiver`] is what fits there:
//! the type is forgotten, and no second box is needed for remembering how to make a value of it.
//!
//! Invariants:
//! 1. The box of the continuation is the box that waits here.
//! 2. As a continuation, it ends exactly once; a value that panics while it is read leaves its box with the receiver, whose
//!    end reports it.

use std::fmt;

/// How bytes become a value, or the error that they are none. The name says what the bytes answer, for that error.
#[derive(Debug)]
pub struct FromBytes<T, E> {
    /// Out of bytes that belong to somebody else.
    pub lent: fn(&[u8], &'static str) -> Result<T, E>,
    /// Out of the bytes of this vector, whose memory may be taken.
    pub given: fn(&mut Vec<u8>, &'static str) -> Result<T, E>,
}

/// What a continuation waits for, and then what it got.
pub(crate) enum State<T: 'static, E: 'static> {
    Waiting,
    /// Bytes, of which this makes a value.
    Reading(&'static FromBytes<T, E>),
    Value(T),
    Error(E),
}

impl<T, E> State<T, E> {
    /// Makes the value, if that is what is waited for.
    #[inline]
    pub(crate) fn read(&mut self, bytes: &[u8], what: &'static str) {
        if let Self::Reading(from) = self {
            *self = Self::of((from.lent)(bytes, what))
        }
    }

    /// The same out of memory that the value may keep.
    pub(crate) fn read_given(&mut self, memory: &mut Vec<u8>, what: &'static str) {
        if let Self::Reading(from) = self {
            *self = Self::of((from.given)(memory, what))
        }
    }

    #[inline]
    fn of(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => Self::Value(value),
            Err(error) => Self::Error(error),
        }
    }
}

/// What waits inside a receiver.
pub(crate) trait Receive<E> {
    /// Stores the value that these bytes make.
    fn read(&mut self, bytes: &[u8], what: &'static str);
    /// Stores the value that these bytes make, whose memory it may keep.
    fn read_given(&mut self, memory: &mut Vec<u8>, what: &'static str);
    /// Stores an error.
    fn fail(&mut self, error: E);
    /// Ends it with what was stored.
    fn resume(self: Box<Self>);
    /// Ends it because nobody did.
    fn lose(self: Box<Self>);
}

/// A continuation that waits for bytes, made by [`Cont::receiver`](crate::Cont::receiver).
///
/// ```
/// use peers_kernel::{Cont, FromBytes, Kernel, Lost};
///
/// const LENGTH: FromBytes<usize, Lost> =
///     FromBytes { lent: |bytes, _| Ok(bytes.len()), given: |memory, _| Ok(memory.len()) };
/// const COPY: FromBytes<Vec<u8>, Lost> = FromBytes {
///     lent: |bytes, _| Ok(bytes.to_vec()),
///     given: |memory, _| Ok(std::mem::take(memory)),
/// };
///
/// let mut kernel = Kernel::simulated(1);
/// let length = Cont::new(&kernel.handle(), |n: Result<usize, Lost>| assert_eq!(n, Ok(5)));
/// let copy = Cont::new(&kernel.handle(), |copy| assert_eq!(copy, Ok(b"dunes".to_vec())));
/// let kept = Cont::new(&kernel.handle(), |kept| assert_eq!(kept, Ok(b"sand".to_vec())));
/// for receiver in [length.receiver(&LENGTH), copy.receiver(&COPY)] {
///     receiver.bytes(b"dunes", "the planet");
/// }
/// kept.receiver(&COPY).given(&mut b"sand".to_vec(), "the planet");
/// kernel.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropping a receiver fails whoever waits for it"]
pub struct Receiver<E> {
    pub(crate) arm: Option<Box<dyn Receive<E>>>,
}

impl<E> Receiver<E> {
    /// Makes the value and queues the handler with it, or with the error that it is none. `what` names what the bytes answer.
    #[inline]
    pub fn bytes(mut self, bytes: &[u8], what: &'static str) {
        if let Some(arm) = &mut self.arm {
            arm.read(bytes, what)
        }
        self.resume()
    }

    /// The same with bytes whose memory the value may take, and leaves empty then. What they are is agreed upon with whoever
    /// made the receiver.
    pub fn given(mut self, memory: &mut Vec<u8>, what: &'static str) {
        if let Some(arm) = &mut self.arm {
            arm.read_given(memory, what)
        }
        self.resume()
    }

    /// Queues the handler with an error.
    pub fn err(mut self, error: impl Into<E>) {
        let error = error.into();
        if let Some(arm) = &mut self.arm {
            arm.fail(error)
        }
        self.resume()
    }

    #[inline]
    fn resume(mut self) {
        if let Some(arm) = self.arm.take() {
            arm.resume()
        }
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
