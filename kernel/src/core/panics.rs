//! Tells the log about handlers that panic: one line each, whatever a peer may have put into the
//! message, and not too many of them, because a peer that knows how to make a handler panic can do
//! so all day.
//!
//! A strict kernel does not survive them: it keeps the first one until whoever turns it can be
//! told, on a stack of his own.

use crate::core::Core;
use crate::core::lost::Lost;
use crate::host::text::is_invisible;
use crate::host::throttle::{is_on_a_loop, may_log};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo, catch_unwind};

/// Characters of a message that are shown.
const SHOWN: usize = 512;

/// Says whose code panics.
#[derive(Clone, Copy)]
pub(crate) struct Whose {
    /// Says where the handler was made.
    pub(crate) born: &'static Location<'static>,
    /// `Some` iff it has said so, what it does: see
    /// [`Handle::name_task`](crate::Handle::name_task).
    pub(crate) name: Option<&'static str>,
}

impl Whose {
    /// Stands for a handler that has not said what it does.
    pub(crate) const fn made_at(born: &'static Location<'static>) -> Self {
        Self { born, name: None }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => write!(f, "in {name}"),
            None => write!(f, "in the handler made at {}", self.born),
        }
    }
}

/// The panics of one loop.
#[derive(Default)]
pub(crate) struct Panics {
    /// True iff a panic is for whoever turns the kernel.
    strict: Cell<bool>,
    /// True iff `first` is there.
    failed: Cell<bool>,
    /// Text and place of the first panic of a strict kernel, until it is taken.
    first: RefCell<Option<String>>,
}

impl Panics {
    pub(crate) fn set_strict(&self, on: bool) {
        self.strict.set(on)
    }

    /// Returns whether a strict kernel holds a panic that nobody was told.
    #[inline]
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.get()
    }

    /// Keeps this panic if the kernel is strict and holds none.
    pub(crate) fn keep(&self, whose: Whose, text: &str) {
        // The first is the one to be told: those behind it may be its consequences.
        if self.strict.get() && !self.failed.replace(true) {
            *self.first.borrow_mut() = Some(format!("{text} ({whose})"));
        }
    }

    /// Returns what a strict kernel holds, which is then as if it had not happened.
    pub(crate) fn take_failure(&self) -> Option<String> {
        self.failed.set(false);
        self.first.take()
    }

    /// Reports a panic, and keeps it if the kernel is strict.
    pub(crate) fn report(&self, whose: Whose, payload: Box<dyn Any + Send>) {
        // Before it is reported, which uses the payload up.
        if self.strict.get() {
            self.keep(whose, text_of(&*payload))
        }
        report_panic(whose, payload)
    }
}

impl Core {
    /// Says that code made at `born` panicked.
    #[cold]
    pub(crate) fn report_panic(
        &self,
        born: &'static Location<'static>,
        payload: Box<dyn Any + Send>,
    ) {
        self.report(Whose::made_at(born), payload)
    }

    #[cold]
    pub(crate) fn report(&self, whose: Whose, payload: Box<dyn Any + Send>) {
        self.panics.report(whose, payload);
        self.heed_failure()
    }

    /// Keeps the panic of work on another thread, which has logged it there.
    #[cold]
    pub(crate) fn keep_panic(&self, born: &'static Location<'static>, text: &str) {
        self.panics.keep(Whose::made_at(born), text);
        self.heed_failure()
    }

    /// Lets no other task of the turn start after a panic in a strict kernel.
    fn heed_failure(&self) {
        if self.panics.has_failed() {
            self.meter.interrupt()
        }
    }

    /// Reports that a task panicked, and makes the core fit for the next one.
    pub(crate) fn task_panicked(&self, payload: Box<dyn Any + Send>) {
        // The stack that would have restored them is gone.
        self.inside.set(false);
        self.loss.set(Lost::Dropped);
        self.report(self.meter.last(), payload)
    }

    /// Decides whether a panic is for whoever turns the kernel.
    pub(crate) fn set_strict(&self, on: bool) {
        self.panics.set_strict(on)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.panics.has_failed()
    }

    /// Takes the first panic of a strict kernel since this was last asked.
    pub(crate) fn take_failure(&self) -> Option<String> {
        self.panics.take_failure()
    }

    /// Drops a user's value; a panic in its `Drop` is reported.
    pub(crate) fn drop_quietly<V>(&self, value: V) {
        self.quietly(|| drop(value))
    }

    /// Does what drops a user's values; a panic is reported.
    pub(crate) fn quietly(&self, f: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
            if may_log() {
                log::error!("panicked while something was dropped");
            }
            self.report(self.meter.last(), payload)
        }
    }

    /// Drops what belongs to the handler made at `born`: if that panics, it is the one that is
    /// named.
    pub(crate) fn let_go<V>(&self, born: &'static Location<'static>, value: V) {
        let outer = self.meter.place();
        self.running(born);
        drop(value);
        self.running(outer);
    }
}

thread_local! {
    /// Says where this thread has panicked, until that is reported.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Takes note of where a thread panics: for the panic hook of a program, since a kernel that
/// catches the panic cannot know. Returns whether a kernel is going to report it in the log.
pub fn note_panic(panic: &PanicHookInfo<'_>) -> bool {
    let current = std::thread::current();
    let ours = current.name().is_some_and(|name| name.starts_with("peers-"));
    let reported = ours || is_on_a_loop();
    if reported {
        let place = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
        // A thread that is ending has no place for it.
        if PLACE.try_with(|cell| cell.set(place)).is_err() {
            return true;
        }
    }
    reported
}

/// Reports a panic, unless the log has had too many lines in this second.
pub(crate) fn report_panic(whose: Whose, payload: Box<dyn Any + Send>) {
    let place = PLACE.try_with(Cell::take).ok().flatten();
    if may_log() {
        let text = on_one_line(text_of(&*payload));
        match place {
            None => log::error!("panicked: {text} ({whose})"),
            Some(at) => log::error!("panicked at {at}: {text} ({whose})"),
        }
    }
    discard(payload);
}

/// Returns the message of a panic.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> &str {
    match payload.downcast_ref::<&str>() {
        Some(text) => text,
        None => payload.downcast_ref::<String>().map_or("no message", String::as_str),
    }
}

/// Drops a payload. It is a user's value: even its drop may panic.
fn discard(payload: Box<dyn Any + Send>) {
    if catch_unwind(AssertUnwindSafe(|| drop(payload))).is_err() && may_log() {
        log::error!("the payload of that panic panicked too");
    }
}

/// Returns the beginning of a message, with escapes for whatever would begin a line, move the
/// cursor or turn the text around.
fn on_one_line(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(SHOWN) {
        match c {
            '\n' | '\r' | '\t' => shown.extend(c.escape_debug()),
            c if is_invisible(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_on_its_line() {
        let hostile = "it's \"a\\b\" — пустыня\r\n\u{1b}[2J\u{202e}\u{9b}\u{2066}\u{2028}";
        let shown = "it's \"a\\b\" — пустыня\\r\\n\\u{1b}[2J\\u{202e}\\u{9b}\\u{2066}\\u{2028}";
        assert_eq!(on_one_line(hostile), shown);
    }

    #[test]
    fn a_long_message_is_cut() {
        assert_eq!(on_one_line(&"é".repeat(SHOWN)), "é".repeat(SHOWN));
        assert_eq!(on_one_line(&"é".repeat(SHOWN + 1)), "é".repeat(SHOWN) + "…");
    }
}
