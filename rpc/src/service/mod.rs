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

use crate::{Error, ErrorKind, Peers, spawn_loop};
use peers_kernel::Address;
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
            eprintln!("{}: {}", cli.name, failure.text);
            ExitCode::from(failure.code)
        }
    }
}

/// Prints a result on standard output.
///
/// # Errors
/// When it cannot be written.
pub fn print(line: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Failure::from)
}
