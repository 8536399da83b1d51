//! `counts PROGRAM OPERATIONS` runs a program; `counts list` names them all, each with the two
//! numbers of operations whose difference is taken, and what one operation is.
#![expect(clippy::print_stdout, reason = "it answers on standard output")]
#![expect(clippy::print_stderr, reason = "it says what is wrong on standard error")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => list(),
        [name, operations] => run(name, operations),
        _ => usage("two words are needed, or `list`"),
    }
}

fn list() -> ExitCode {
    for program in peers_counts::PROGRAMS {
        println!("{} {} {} {}", program.name, program.few, program.many, program.one);
    }
    ExitCode::SUCCESS
}

fn run(name: &str, operations: &str) -> ExitCode {
    let program = peers_counts::PROGRAMS.iter().find(|program| program.name == name);
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
