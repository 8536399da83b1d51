//! Small programs whose machine instructions are counted, so that a change in speed shows on a busy
//! machine as well: the script `run` beside this crate does that, and its `--help` says how.
//!
//! Each program does a number of operations and nothing that depends on a clock, on chance or on
//! other programs. Counting it twice, for few and for many operations, and taking the difference
//! leaves out what starting and ending cost. What grows with the logarithm of the number, or in
//! steps, does not cancel out: programs keep what they work on at one size.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "programs answer on standard output")]
#![expect(clippy::print_stderr, reason = "programs say what is wrong on standard error")]

mod kernel;
mod rpc;
mod rpcc;
mod wire;

use std::process::ExitCode;

/// A program.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name in commands and results: one word.
    pub name: &'static str,
    /// Holds what one operation is.
    pub one: &'static str,
    /// The smaller number of operations.
    pub few: u64,
    /// The larger one.
    pub many: u64,
    /// Does so many operations.
    ///
    /// # Panics
    /// When something comes out wrong.
    pub run: fn(u64),
}

/// All programs but those of `counts-long`, from the bottom up.
pub const PROGRAMS: [Program; 23] = [
    of("hop", "a task that queues the next", 10_000, kernel::hop),
    of("cont", "a continuation resumed", 10_000, kernel::cont),
    of("node", "a continuation into a node resumed", 10_000, kernel::node),
    of("queue", "one of 1,000 tasks queued before the first runs", 10_000, kernel::queue),
    of("timer", "a timer armed and cancelled among 1,000", 10_000, kernel::timer),
    of("fire", "one of 1,000 timers armed, and fired", 10_000, kernel::fire),
    of("collect", "a barrier of 8 branches, all resumed", 2_000, kernel::collect),
    of("encode", "a struct of 5 fields written", 10_000, wire::encode),
    of("decode", "the same read, owned", 10_000, wire::decode),
    of("encode-lists", "30 numbers, 16 strings and a map of 16 written", 2_000, wire::encode_lists),
    of("decode-lists", "the same read, owned", 2_000, wire::decode_lists),
    of(
        "encode-value",
        "a record of 4 fields that describes itself, written",
        10_000,
        wire::encode_value,
    ),
    of("decode-value", "the same read", 10_000, wire::decode_value),
    of("put-call", "a call of 52 bytes written", 10_000, wire::put_call),
    of("deframe", "one of 256 such calls in a segment, cut out", 25_600, wire::deframe),
    of("deframe-parts", "the same in segments of 60 bytes", 25_600, wire::deframe_parts),
    of("message", "such a call cut out and read, borrowed", 10_000, wire::message),
    of("session", "a call, both sides, without a loop; 1 at a time", 10_000, rpc::session),
    of("session-64", "the same; 64 at a time", 12_800, rpc::session_64),
    of("call", "a whole call between simulated processes; 1 at a time", 2_000, rpc::call),
    of("call-64", "the same; 64 at a time", 6_400, rpc::call_64),
    of("call-1024", "the same; 1,024 at a time", 10_240, rpc::call_1024),
    of("rpcc", "a line of an interface file, made into Rust", 500, rpcc::compile),
];

/// A program that is counted for so many operations, and for three times as many.
#[must_use]
pub const fn of(name: &'static str, one: &'static str, few: u64, run: fn(u64)) -> Program {
    Program { name, one, few, many: 3 * few, run }
}

/// Runs the program of `programs` that the command line names, or names them.
#[must_use]
pub fn main(programs: &[Program]) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => list(programs),
        [name, operations] => run(programs, name, operations),
        _ => usage("two words are needed, or `list`"),
    }
}

fn list(programs: &[Program]) -> ExitCode {
    for program in programs {
        println!("{} {} {} {}", program.name, program.few, program.many, program.one);
    }
    ExitCode::SUCCESS
}

fn run(programs: &[Program], name: &str, operations: &str) -> ExitCode {
    let program = programs.iter().find(|program| program.name == name);
    match (program, operations.parse()) {
        (None, _) => usage(&format!("no program is called {name}")),
        (_, Err(_)) => usage(&format!("{operations} is not a number of operations")),
        (Some(program), Ok(operations)) => {
            (program.run)(operations);
            ExitCode::SUCCESS
        }
    }
}

fn usage(wrong: &str) -> ExitCode {
    eprintln!("counts PROGRAM OPERATIONS | counts list: {wrong}");
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::PROGRAMS;

    #[test]
    fn every_program_does_what_it_says() {
        for program in PROGRAMS {
            (program.run)(program.few);
        }
    }

    #[test]
    fn every_program_has_a_name_of_its_own_and_one_word() {
        for (at, program) in PROGRAMS.iter().enumerate() {
            assert!(program.name.split_whitespace().count() == 1, "{program:?}");
            let before = PROGRAMS.iter().take(at).any(|other| other.name == program.name);
            assert!(!before, "{program:?} is there twice");
        }
    }
}
