//! What the applications share: command lines, log lines, serving until a signal, exit codes, and staying connected.
//!
//! This is the only part of the crate that prints or ends a process. Libraries use [`stay_connected`] at most.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the binaries' own output")]

mod arguments;
mod child;
mod contact;
mod log_lines;
mod serve;

pub use arguments::{Arguments, Cli};
pub use child::NodeProcess;
pub use contact::stay_connected;
pub use log_lines::init_log;
pub use serve::{note, say, serve};

use crate::text::Escaped;
use crate::{Error, ErrorKind, Peers, spawn_loop};
use peers_kernel::Address;
use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;

/// Everything went well.
pub const DONE: u8 = 0;
/// The remote method raised, or failed.
pub const RAISED: u8 = 1;
/// Nobody could be reached, or the command line was wrong.
pub const UNREACHED: u8 = 2;

/// A problem that ends a binary: the words for standard error and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to print.
    pub text: String,
    /// The exit code.
    pub code: u8,
}

impl Failure {
    /// A wrong command line.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: UNREACHED }
    }

    /// The outcome of a call to the node at `address`.
    pub fn of_call(address: &Address, error: &Error) -> Self {
        let hint = match error.kind() {
            ErrorKind::Raised(_) | ErrorKind::Failed(_) | ErrorKind::Panicked => None,
            ErrorKind::NoReply => None,
            ErrorKind::TimedOut { .. } => Some("it is busy or stopped: try a longer --timeout"),
            _ => Some("start a node there with the serve command, or check the address"),
        };
        match hint {
            None => Self { text: error.to_string(), code: RAISED },
            Some(hint) => {
                Self { text: format!("no answer from {address}: {error}\n{hint}"), code: UNREACHED }
            }
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self { text: error.to_string(), code: UNREACHED }
    }
}

/// A loop on a thread of its own, for one-shot calls.
///
/// # Errors
/// When it cannot be started.
pub fn client() -> Result<Peers, Failure> {
    spawn_loop().map_err(Failure::from)
}

/// Runs a binary's `main`: sets the log up, reads the command line, prints what failed, gives the exit code.
pub fn run(cli: &Cli, main: impl FnOnce(Arguments) -> Result<(), Failure>) -> ExitCode {
    init_log();
    let outcome = match Arguments::from_env(cli) {
        Ok(Some(arguments)) => main(arguments),
        Ok(None) => Ok(()), // --help and --version have printed what was asked for
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(()) => ExitCode::from(DONE),
        Err(failure) => {
            // If nobody reads it, the code still says it.
            drop(writeln!(std::io::stderr(), "{}: {}", cli.name, failure.text));
            ExitCode::from(failure.code)
        }
    }
}

/// Prints a result on standard output: byte for byte into a file or a pipe; on a terminal, what could harm it is
/// escaped and what is very long is cut.
///
/// # Errors
/// When it cannot be written.
pub fn print(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let terminal = out.is_terminal();
    print_to(&mut out, terminal, line).map_err(Failure::from)
}

/// Prints a text of the program's own, of any number of lines.
fn print_own(text: &str) -> Result<(), Failure> {
    print_to(&mut std::io::stdout().lock(), false, text.trim_end()).map_err(Failure::from)
}

fn print_to(out: &mut impl Write, terminal: bool, line: &str) -> std::io::Result<()> {
    match terminal {
        true => writeln!(out, "{}", Escaped(line))?,
        false => writeln!(out, "{line}")?,
    }
    out.flush()
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
}
