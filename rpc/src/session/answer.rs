//! Answers the peer's calls. Answers need no credit and never wait for any.
//!
//! Invariants:
//! 1. An answer is put whole, or a refusal in its place: a value that does not fit, or whose
//!    encoding panics, leaves nothing in the output. Kept by
//!    `an_answer_that_does_not_fit_the_peer_is_a_refusal_instead`,
//!    `an_answer_that_panics_while_it_is_written_is_an_error_for_its_caller`.
//! 2. What is said after a goodbye goes nowhere. Kept by
//!    `nothing_follows_a_goodbye_when_the_output_drains`.

use super::request::CHUNK;
use super::{Output, Phase, Session};
use peers_wire::{
    Encode, Error, Exception, HEADER, Kind, Refused, RefusedCode, put_bytes_reply, put_frame,
};

/// Returns what a caller is told whose answer cannot be sent.
fn unsendable(error: &Error) -> String {
    match error {
        Error::OutputTooLarge { size, limit } => format!("{TOO_LARGE}{size}{OVER}{limit}"),
        error => format!("the answer cannot be sent: {error}"),
    }
}

const TOO_LARGE: &str = "the answer cannot be sent, too large: ";
const OVER: &str = " bytes, over the limit of ";

/// Reads size and limit in what a caller is told whose answer was too large. There is no code of
/// its own for it: older peers would take a call that they do not know the refusal of for one that
/// was not executed.
pub(crate) fn too_large_answer(text: &str) -> Option<(u64, u64)> {
    let (size, limit) = text.strip_prefix(TOO_LARGE)?.split_once(OVER)?;
    Some((size.parse().ok()?, limit.parse().ok()?))
}

impl<K> Session<K> {
    /// Answers a call of the peer with a value. Bytes and texts are not copied if they are many:
    /// `value` is empty then. It is dropped by whoever owns it, when the session is not in use.
    ///
    /// # Errors
    /// The value does not fit the peer's frames, or cannot be encoded. The call was answered
    /// [`Failed`](RefusedCode::Failed) instead.
    #[inline(always)]
    pub fn reply(
        &mut self,
        call: u64,
        value: &mut impl Encode,
        out: &mut impl Output,
    ) -> Result<(), Box<Error>> {
        // The likely answer: a few bytes or a short text, copied behind what is there.
        if let Some(bytes) = value.as_run()
            && bytes.len() < CHUNK
            && self.phase != Phase::Ended
        {
            let position = self.meter.queued;
            put_bytes_reply(out.bytes(), call, bytes, 0);
            self.meter.queued += (HEADER + 4 + bytes.len()) as u64;
            self.incoming.answered(position);
            self.clock.used();
            return Ok(());
        }
        self.reply_other(call, value, out)
    }

    /// Answers with a value of another type, or with many bytes.
    #[inline(never)]
    fn reply_other(
        &mut self,
        call: u64,
        value: &mut impl Encode,
        out: &mut impl Output,
    ) -> Result<(), Box<Error>> {
        if self.phase == Phase::Ended {
            return Ok(());
        }
        let limit = self.frame_limit();
        let Some(bytes) = value.take_bytes() else {
            let encode = |out: &mut Vec<u8>| {
                put_frame(out, limit, Kind::Reply, 0, call, |writer| value.encode(writer))
            };
            return self.answer(call, out, encode);
        };
        let size = bytes.len().saturating_add(4);
        let fits = size <= limit as usize;
        self.answer(call, out, |out| {
            // Before anything of it is put: what is moved cannot be cut off again.
            if !fits {
                return Err(Error::OutputTooLarge { size, limit: limit as usize });
            }
            put_bytes_reply(out, call, &[], bytes.len());
            Ok(())
        })?;
        self.meter.chunk(out, bytes);
        Ok(())
    }

    /// Answers a call of the peer with a declared exception.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub fn raise(
        &mut self,
        call: u64,
        exception: &Exception<'_>,
        out: &mut impl Output,
    ) -> Result<(), Box<Error>> {
        let limit = self.frame_limit();
        self.answer(call, out, |bytes| exception.put(bytes, limit, call))
    }

    /// Answers a call of the peer that has neither value nor exception. A long `text` is cut.
    pub fn refuse(&mut self, call: u64, code: RefusedCode, text: &str, out: &mut impl Output) {
        let refused = Refused { code, text };
        let answered = self.answer(call, out, |bytes| {
            refused.put(bytes, call);
            Ok(())
        });
        debug_assert_eq!(answered, Ok(()), "a refusal always fits");
    }

    fn answer(
        &mut self,
        call: u64,
        out: &mut impl Output,
        put: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Box<Error>> {
        if self.phase == Phase::Ended {
            return Ok(());
        }
        let position = self.meter.queued;
        let result = self.meter.put(out, put);
        // Nothing of it is in the output then: its place is taken by the refusal.
        if let Err(error) = &result {
            debug_assert_eq!(position, self.meter.queued, "an answer is put whole, or not at all");
            let text = unsendable(error);
            let refused = Refused { code: RefusedCode::Failed, text: &text };
            self.meter.put(out, |bytes| refused.put(bytes, call));
        }
        self.incoming.answered(position);
        self.clock.used();
        result.map_err(Box::new)
    }
}
