//! Holds what the applications share: command lines, log lines, output, serving until a signal,
//! and exit codes.
//!
//! This is the only library of ours that prints or ends a process.

#![forbid(unsafe_code)]

mod output;

mod advice;
mod arguments;
mod child;
mod log_lines;
mod typed;

mod keys;

mod serve;
mod shared_output;

pub use arguments::{Arguments, Cli};
pub use child::NodeProcess;
pub use keys::{client, client_with};
pub use log_lines::init_log;
pub use output::{Errors, finish, note, print, print_own, say, show};
pub use serve::serve;
pub use shared_output::SharedOutput;
#[doc(hidden)]
pub use typed::print_typed;

use peers_rpc::Error;
use peers_rpc::Escaped;
use peers_rpc::kernel::Address;
use std::backtrace::Backtrace;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;

/// Everything went well.
pub const DONE: u8 = 0;
/// The remote method raised, or failed.
pub const RAISED: u8 = 1;
/// Nobody could be reached, or the command line was wrong.
pub const UNREACHED: u8 = 2;
/// The output could not be written: a full disk, for example.
pub const UNWRITTEN: u8 = 3;
/// A bug in the program itself, as Rust's own code for a panic.
const PANICKED: u8 = 101;

/// A problem that ends a binary: the words for standard error and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The text to print; nothing if nobody needs to hear of it.
    pub text: String,
    /// The exit code.
    pub code: u8,
}

impl Failure {
    /// Makes the failure of a wrong command line.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: UNREACHED }
    }

    /// Returns the outcome of a call to the node at `address`: the error, and what to do about it
    /// where that helps.
    pub fn of_call(address: &Address, error: &Error) -> Self {
        advice::failure(address, error, keys::has_own())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self { text: error.to_string(), code: UNREACHED }
    }
}

/// An error of setting up, in its own words; or the outcome of a call to a node that need not be
/// named.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        advice::unaddressed(&error)
    }
}

/// Runs a binary's `main`: sets the log up, reads the command line, prints what failed, gives the
/// exit code. The commands `keygen FILE` and `key ADDRESS`, which every binary has, are not left to
/// `main`.
pub fn run(cli: &Cli, main: impl FnOnce(Arguments) -> Result<(), Failure>) -> ExitCode {
    output::open();
    init_log();
    std::panic::set_hook(Box::new(report));
    let outcome = catch_unwind(AssertUnwindSafe(|| match Arguments::from_env(cli) {
        Ok(Some(arguments)) => match keys::command(&arguments) {
            Ok(false) => main(arguments),
            Ok(true) => Ok(()),
            Err(failure) => Err(failure),
        },
        Ok(None) => Ok(()), // --help and --version have printed what was asked for
        Err(failure) => Err(failure),
    }));
    let code = match outcome {
        Ok(Ok(())) => DONE,
        Ok(Err(failure)) => {
            // If nobody reads it, the code still says it.
            if !failure.text.is_empty() {
                output::complain(&format!("{}: {}\n", cli.name, harmless(&failure.text)));
            }
            failure.code
        }
        Err(_) => PANICKED,
    };
    finish();
    ExitCode::from(code)
}

/// Escapes what cannot be seen in each line of a text: the words of a command line and of a peer
/// stand in it.
fn harmless(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| Escaped(line).to_string()).collect();
    lines.join("\n")
}

/// Says on one line where a thread panicked, without waiting for whoever reads that. A kernel that
/// catches the panic says so in the log; then only the backtrace is left to print, if somebody
/// asked for one.
fn report(panic: &PanicHookInfo<'_>) {
    let asked = std::env::var_os("RUST_BACKTRACE").is_some_and(|asked| asked != "0");
    let reported = peers_rpc::kernel::note_panic(panic);
    if (reported && !asked) || !peers_rpc::kernel::may_log() {
        return;
    }
    let current = std::thread::current();
    let thread = current.name().unwrap_or("unnamed");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let text = Escaped(panic.payload_as_str().unwrap_or("no message"));
    let backtrace = if asked { Backtrace::force_capture().to_string() } else { String::new() };
    output::complain(&format!("thread {thread} panicked at {place}: {text}\n{backtrace}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_command_show_what_cannot_be_seen() {
        assert_eq!(
            harmless("\"1\u{3164}\": no number\n  help"),
            "\"1\\u{3164}\": no number\n  help"
        );
    }
}
