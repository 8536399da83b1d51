//! The tutorial's helpers under their old names: closures with arguments bound, a barrier by
//! number, a handler that logs.
//!
//! In Rust a `move` closure often says the same; these read better where a free function takes one
//! or two bound values.

use crate::{Error, Reply};
use peers_kernel::{Collect, Handle};
use std::panic::Location;

/// Binds the right argument: `wrap(f, a)(x)` is `f(x, a)`.
///
/// ```
/// let minus_one = peers_rpc::wrap(|x: i32, a: i32| x - a, 1);
/// assert_eq!(minus_one(10), 9);
/// ```
pub fn wrap<X, A, R>(f: impl FnOnce(X, A) -> R, a: A) -> impl FnOnce(X) -> R {
    move |x| f(x, a)
}

/// Binds the left argument: `wrap_left(f, a)(x)` is `f(a, x)`.
///
/// ```
/// let pair = peers_rpc::wrap_left(|key: &str, value: i32| format!("{key} -> {value}"), "arrakis");
/// assert_eq!(pair(1), "arrakis -> 1");
/// ```
pub fn wrap_left<A, X, R>(f: impl FnOnce(A, X) -> R, a: A) -> impl FnOnce(X) -> R {
    move |x| f(a, x)
}

/// Runs `f` now; an error it returns reaches `on_error` through the queue, on a clean stack, like
/// any other failure.
///
/// Calls never fail at once ([`Call::then`](crate::Call::then) queues), so this is for code that
/// uses `?`: events, binds.
pub fn with_error_handler(
    handle: &Handle,
    f: impl FnOnce() -> Result<(), Error>,
    on_error: impl FnOnce(Error) + 'static,
) {
    if let Err(error) = f() {
        handle.schedule(move || on_error(error));
    }
}

/// Makes the tutorial's barrier: `n` continuations, and `done` with all outcomes, in order, when
/// each has one.
///
/// Each continuation remembers its own place. One that is dropped counts as failed. With `n` = 0
/// `done` is resumed at once (through the queue). [`Collect`] is the same without a number fixed
/// beforehand.
#[track_caller]
pub fn collect_async<T: 'static>(
    done: Reply<Vec<Result<T, Error>>>,
    n: usize,
) -> impl ExactSizeIterator<Item = Reply<T>> {
    let all = Collect::all(done);
    let branches: Vec<Reply<T>> = (0..n).map(|_| all.branch()).collect();
    branches.into_iter()
}

/// Logs a warning in the tutorial's shape and goes on: an error handler. The line that it names is
/// the one that calls it. It shares the loop's lines per second with all other warnings: see
/// [`Limits::log_rate`](crate::Limits::log_rate).
#[track_caller]
pub fn warn(error: Error) {
    if log::Level::Warn > log::max_level() || !peers_kernel::may_log() {
        return;
    }
    let (place, text) = (Location::caller(), crate::session::text::logged(&error));
    let mut record = log::Record::builder();
    record.level(log::Level::Warn).target("peers_rpc");
    record.file(Some(place.file())).line(Some(place.line()));
    log::logger().log(&record.args(format_args!("{text}")).build());
}

/// Encodes a value into opaque bytes, the plain encoding of the wire: never compressed.
///
/// # Errors
/// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) when a length does not fit the wire.
///
/// ```
/// let bytes = peers_rpc::pickle(&("dune", 10_191_u32))?;
/// let (name, year): (String, u32) = peers_rpc::unpickle(&bytes)?;
/// assert_eq!((name.as_str(), year), ("dune", 10_191));
/// # Ok::<(), peers_rpc::Error>(())
/// ```
pub fn pickle<T: peers_wire::Encode>(value: &T) -> Result<Vec<u8>, Error> {
    peers_wire::to_vec(value).map_err(Error::from)
}

/// Decodes what [`pickle`] made, all of it.
///
/// # Errors
/// [`ErrorKind::BadPickle`](crate::ErrorKind::BadPickle) with the reason when the bytes are not one
/// whole value of this type.
pub fn unpickle<T: peers_wire::DecodeOwned>(bytes: &[u8]) -> Result<T, Error> {
    peers_wire::from_slice(bytes).map_err(Error::from)
}
