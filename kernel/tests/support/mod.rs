//! Holds what the specification tests share: a list of what happened, and the lines that were
//! logged.
#![allow(dead_code, reason = "each test file uses its part")]

use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// Holds what happened, in order.
pub(crate) struct Trace<T>(Rc<RefCell<Vec<T>>>);

impl<T: Clone + PartialEq + Debug> Trace<T> {
    pub(crate) fn new() -> Self {
        Self(Rc::default())
    }

    pub(crate) fn add(&self, what: T) {
        self.0.borrow_mut().push(what)
    }

    /// All there is so far.
    pub(crate) fn all(&self) -> Vec<T> {
        self.0.borrow().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

impl<T> Clone for Trace<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Keeper;

impl log::Log for Keeper {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        lines().push(format!("{}: {}", record.level(), record.args()))
    }

    fn flush(&self) {}
}

fn lines() -> MutexGuard<'static, Vec<String>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps what is logged from here on.
pub(crate) fn keep_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Keeper).expect("a test file sets one logger");
        log::set_max_level(log::LevelFilter::Trace);
    })
}

/// Kept lines that contain `part`.
pub(crate) fn logged(part: &str) -> Vec<String> {
    lines().iter().filter(|line| line.contains(part)).cloned().collect()
}
