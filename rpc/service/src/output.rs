//! The one way out for text: results on standard output, problems and the log on standard error.
//!
//! Invariants:
//! 1. No loop waits for a reader: what nodes say and what the log says is put into a bounded queue.
//!    Kept by `tests/tests/never_read.rs`.
//! 2. A reader that has gone ends a command quietly and well; an output that cannot be written has
//!    words and a code. Kept by `tests/tests/outputs.rs`.

use super::{DONE, Failure, UNWRITTEN};
use peers_rpc::Escaped;
use peers_rpc::kernel::{Address, Lines};
use std::io::{self, IsTerminal as _, Write};
use std::sync::OnceLock;
use std::time::Duration;

/// The time that the end of a process gives each output for what was said to leave.
const LAST_WORDS: Duration = Duration::from_secs(1);

static OUT: OnceLock<Option<Lines>> = OnceLock::new();
static ERRORS: OnceLock<Option<Lines>> = OnceLock::new();

fn out() -> Option<&'static Lines> {
    OUT.get_or_init(|| Lines::new(io::stdout()).ok()).as_ref()
}

fn errors() -> Option<&'static Lines> {
    ERRORS.get_or_init(|| Lines::new(io::stderr()).ok()).as_ref()
}

/// Opens both outputs: when the first line is to be written, there may be no descriptor left.
pub(super) fn open() {
    out();
    errors();
}

/// Prints a result on standard output: byte for byte into a file or a pipe; on a terminal, what
/// could harm it is escaped and what is very long is cut. Waits for whoever reads it, so it is not
/// for a loop: see [`show`].
///
/// # Errors
/// When it cannot be written. If the reader has gone, the failure is quiet: no words, and the code
/// of success.
pub fn print(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let terminal = out.is_terminal();
    print_to(&mut out, terminal, line).map_err(|error| unwritten(&error))
}

/// Prints a text of the program's own, of any number of lines, as it is.
///
/// # Errors
/// Fails as [`print()`] does.
pub fn print_own(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    print_to(&mut out, false, text).map_err(|error| unwritten(&error))
}

fn unwritten(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure { text: String::new(), code: DONE },
        _ => Failure { text: format!("cannot write the output: {error}"), code: UNWRITTEN },
    }
}

fn print_to(out: &mut impl Write, terminal: bool, line: &str) -> io::Result<()> {
    match terminal {
        true => writeln!(out, "{}", Escaped(line))?,
        false => writeln!(out, "{line}")?,
    }
    out.flush()
}

/// Prints as [`print()`] does, but never waits: for handlers. If nobody reads it, it is dropped,
/// counted, and nobody's loss.
pub fn show(line: &str) {
    let shown = match io::stdout().is_terminal() {
        true => format!("{}\n", Escaped(line)),
        false => format!("{line}\n"),
    };
    put(out(), &shown);
}

/// Prints a node's line on standard output: `PID [ADDRESS]: TEXT`. What could harm a terminal is
/// escaped, what is very long is cut. It never waits: if nobody reads it, it is dropped, counted,
/// and nobody's loss.
pub fn say(address: &Address, text: &str) {
    put(out(), &format!("{} [{address}]: {}\n", std::process::id(), Escaped(text)));
}

/// Prints the line of a node whose lines do not show where they listen: `PID: TEXT`.
pub fn note(text: &str) {
    put(out(), &format!("{}: {}\n", std::process::id(), Escaped(text)));
}

/// Puts text that ends with a line break on standard error, and does not wait for it.
pub(super) fn complain(text: &str) {
    put(errors(), text);
}

fn put(lines: Option<&Lines>, text: &str) {
    if let Some(lines) = lines {
        lines.put(text);
    }
}

/// Standard error for whatever must not wait: the log, a status line. Each write goes out whole, or
/// is dropped and counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Errors;

impl Write for Errors {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        complain(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    /// Does nothing: waiting is what [`finish`] is for.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for what was said on both outputs to leave, for a second each at most.
pub fn finish() {
    flush(OUT.get());
    flush(ERRORS.get());
}

fn flush(lines: Option<&Option<Lines>>) {
    if let Some(Some(lines)) = lines {
        lines.flush(LAST_WORDS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_spared_what_a_file_gets() {
        let hostile = "dune\u{1b}[2J";
        let printed = |terminal| {
            let mut out = Vec::new();
            print_to(&mut out, terminal, hostile).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(printed(true), "dune\\u{1b}[2J\n");
        assert_eq!(printed(false), "dune\u{1b}[2J\n");
    }

    #[test]
    fn a_closed_pipe_is_quiet_and_a_full_disk_is_not() {
        let closed = unwritten(&io::ErrorKind::BrokenPipe.into());
        assert_eq!((closed.text.as_str(), closed.code), ("", DONE));
        let full = unwritten(&io::ErrorKind::StorageFull.into());
        assert_eq!(full.code, UNWRITTEN);
        assert!(full.text.starts_with("cannot write the output: "), "{}", full.text);
    }
}
