//! Answers to calls of the peer.

use crate::link::Link;
use crate::session::text::Escaped;
use crate::{Error, ErrorKind};
use peers_kernel::Lost;
use peers_wire::{Encode, RefusedCode};

impl Link {
    /// Sends the outcome of a call. If the program's part in that panics, the caller is told so.
    pub(crate) fn answer<T: Encode>(&self, call: u64, result: Result<T, Error>) {
        let mut value = match result {
            Ok(value) => value,
            Err(error) => return self.answer_error(call, &error),
        };
        // The value is dropped behind this, and after the step: nothing of the program's runs in
        // one but its `encode`.
        let owed = Owed { link: self, call: Some(call) };
        let sent = self.drive(|session, out| session.reply(call, &mut value, out));
        if let Some(Err(error)) = sent {
            self.unsendable("a result", &error);
        }
        owed.done()
    }

    #[cold]
    #[inline(never)]
    fn answer_error(&self, call: u64, error: &Error) {
        let limit = self.context().limits.error_text;
        match error.kind() {
            ErrorKind::Raised(raised) => {
                let origin = error.origin().map_or_else(|| self.name().to_string(), str::to_owned);
                let exception = peers_wire::Exception {
                    class: &raised.class,
                    origin: &origin,
                    file: &raised.file,
                    line: raised.line,
                    text: cut(&raised.text, limit),
                    data: &raised.data,
                };
                let sent = self.drive(|session, out| session.raise(call, &exception, out));
                if let Some(Err(error)) = sent {
                    self.unsendable("an exception", &error);
                }
            }
            ErrorKind::Lost(Lost::Panicked) => self.refuse(call, RefusedCode::Internal, ""),
            ErrorKind::Lost(_) => self.refuse(call, RefusedCode::NoReply, ""),
            ErrorKind::Cancelled => self.refuse(call, RefusedCode::Cancelled, ""),
            // Of this process: that another one is overloaded says nothing about what was done
            // here.
            ErrorKind::Overloaded(place) if error.origin().is_none() => {
                self.refuse(call, RefusedCode::Overloaded, &place.to_string())
            }
            ErrorKind::Failed(text) => self.refuse(call, RefusedCode::Failed, cut(text, limit)),
            // Its text may name paths of this machine.
            ErrorKind::Io { text, .. } => {
                let text = Escaped(text);
                self.context().log(format_args!("{}: a method failed: {text}", self.name()));
                self.refuse(call, RefusedCode::Failed, "an error of the system");
            }
            kind => self.refuse(call, RefusedCode::Failed, cut(&kind.to_string(), limit)),
        }
    }

    /// Logs that an answer could not be sent. The peer decides how large its frames may be, so it
    /// can cause this as often as it likes.
    #[cold]
    fn unsendable(&self, what: &str, error: &peers_wire::Error) {
        self.context().log(format_args!("{}: {what} could not be sent: {error}", self.name()));
    }

    /// Answers that a call was not executed, or not to its end.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse(&self, call: u64, code: RefusedCode, text: &str) {
        self.drive(|session, out| session.refuse(call, code, text, out));
    }
}

/// A call whose answer is being written. Dropped before that is done, it answers that the method
/// panicked.
struct Owed<'a> {
    link: &'a Link,
    /// Some iff there is no answer yet.
    call: Option<u64>,
}

impl Owed<'_> {
    /// Notes that the answer was written: whatever panics now, there is no other.
    fn done(mut self) {
        self.call = None;
    }
}

impl Drop for Owed<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(call) = self.call {
            self.link.refuse(call, RefusedCode::Internal, "");
        }
    }
}

/// Cuts a text to at most `limit` bytes, whole characters.
fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
