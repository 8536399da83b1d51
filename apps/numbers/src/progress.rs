//! A status line on standard error while a result is awaited: what, and for how long. Only on a
//! terminal.
//!
//! The loop's thread draws it with a timer; the thread that waits takes it away. Invariants:
//! 1. Nothing is drawn once it was taken away. Kept by
//!    `it_is_drawn_over_itself_and_taken_away_at_the_end`.
//! 2. Quick answers never show one. Kept by `a_quick_answer_leaves_the_terminal_alone`.

use peers_rpc::kernel::Remote;
use peers_rpc::{Handle, Instant};
use peers_service::{Errors, finish};
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two drawings, and before the first.
const PERIOD: Duration = Duration::from_secs(1);

/// Back to the left edge, and everything right of it away.
const CLEAR: &str = "\r\x1b[K";

/// A status line that is drawn once a second until this is dropped.
pub(crate) struct Progress(Option<Shared>);

/// `drawn` is locked while the terminal is written to; `None` is the end.
#[derive(Clone)]
struct Shared {
    drawn: Arc<Mutex<Option<Line>>>,
}

struct Line {
    what: String,
    visible: bool,
}

impl Progress {
    /// Begins to show `what`, unless standard error is no terminal.
    pub(crate) fn show(what: &str, remote: &Remote) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let line = Line { what: what.to_owned(), visible: false };
        let shared = Shared { drawn: Arc::new(Mutex::new(Some(line))) };
        let drawer = shared.clone();
        let begun = remote.post(move |handle| drawer.draw_later(handle, handle.now()));
        Self(begun.is_ok().then_some(shared))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.end(&mut Errors);
            finish(); // before the result is printed
        }
    }
}

impl Shared {
    fn draw_later(self, handle: &Handle, since: Instant) {
        let timers = handle.clone();
        handle.after(PERIOD, move || {
            if self.draw(timers.now() - since, &mut Errors) {
                self.draw_later(&timers, since);
            }
        });
    }

    /// Draws the line; false after the end. A terminal that cannot be written to is nobody's loss.
    fn draw(&self, waited: Duration, out: &mut impl Write) -> bool {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = &mut *drawn else { return false };
        line.visible = true;
        drop(
            write!(out, "{CLEAR}{}: {} s", line.what, waited.as_secs()).and_then(|()| out.flush()),
        );
        true
    }

    fn end(&self, out: &mut impl Write) {
        let line = self.drawn.lock().unwrap_or_else(PoisonError::into_inner).take();
        if line.is_some_and(|line| line.visible) {
            drop(write!(out, "{CLEAR}").and_then(|()| out.flush()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        let line = Line { what: "get_prime".to_owned(), visible: false };
        Shared { drawn: Arc::new(Mutex::new(Some(line))) }
    }

    #[test]
    fn it_is_drawn_over_itself_and_taken_away_at_the_end() {
        let (shared, mut out) = (shared(), Vec::new());
        assert!(shared.draw(Duration::from_millis(1_020), &mut out));
        assert!(shared.draw(Duration::from_millis(2_030), &mut out));
        shared.end(&mut out);
        assert!(!shared.draw(Duration::from_secs(3), &mut out), "nothing after the end");
        let shown = String::from_utf8(out).unwrap();
        assert_eq!(shown, "\r\x1b[Kget_prime: 1 s\r\x1b[Kget_prime: 2 s\r\x1b[K");
    }

    #[test]
    fn a_quick_answer_leaves_the_terminal_alone() {
        let mut out = Vec::new();
        shared().end(&mut out);
        assert!(out.is_empty());
    }
}
