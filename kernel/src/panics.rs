//! What the log says about handlers that panic: one line each, whatever a peer may have put into the message, and not too
//! many of them, because a peer that knows how to make a handler panic can do so all day.

use crate::time::Instant;
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::time::Duration;

/// Panics that are reported in a second; the rest is counted.
const PER_SECOND: u32 = 10;
/// Characters of a message that are shown.
const SHOWN: usize = 512;

/// The panics of one loop.
#[derive(Default)]
pub(crate) struct Panics {
    since: Cell<Instant>,
    reported: Cell<u32>,
    withheld: Cell<u64>,
}

impl Panics {
    /// Reports a panic in the handler made at `born`, or counts it.
    pub(crate) fn report(&self, now: Instant, born: &Location<'_>, payload: Box<dyn Any + Send>) {
        if now - self.since.get() >= Duration::from_secs(1) {
            self.since.set(now);
            self.reported.set(0);
            match self.withheld.take() {
                0 => {}
                withheld => log::error!("{withheld} more panics were not reported"),
            }
        }
        if self.reported.get() < PER_SECOND {
            self.reported.set(self.reported.get() + 1);
            report_panic(born, payload);
        } else {
            self.withheld.set(self.withheld.get() + 1);
            discard(payload);
        }
    }
}

/// Reports a panic in the handler made at `born`.
pub(crate) fn report_panic(born: &Location<'_>, payload: Box<dyn Any + Send>) {
    let text = match payload.downcast_ref::<&str>() {
        Some(text) => text,
        None => payload.downcast_ref::<String>().map_or("no message", String::as_str),
    };
    log::error!("panicked: {} (in the handler made at {born})", on_one_line(text));
    discard(payload);
}

/// A payload is a user's value: even its drop may panic.
fn discard(payload: Box<dyn Any + Send>) {
    if catch_unwind(AssertUnwindSafe(|| drop(payload))).is_err() {
        log::error!("the payload of that panic panicked too");
    }
}

/// The beginning of a message, with escapes for whatever would begin a line, move the cursor or turn the text around.
fn on_one_line(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(SHOWN) {
        match c {
            '\'' | '"' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
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

    #[test]
    fn a_flood_is_counted() {
        let panics = Panics::default();
        let at = |seconds| Instant::default() + Duration::from_secs(seconds);
        for _ in 0..1_000 {
            panics.report(at(5), Location::caller(), Box::new("again"));
        }
        assert_eq!((panics.reported.get(), panics.withheld.get()), (PER_SECOND, 990));
        panics.report(at(6), Location::caller(), Box::new("again"));
        assert_eq!((panics.reported.get(), panics.withheld.get()), (1, 0));
    }
}
