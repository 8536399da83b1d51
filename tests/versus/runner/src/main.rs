//! Runs every test on every system, round by round, and prints medians with their ratios to bare
//! sockets.
//!
//! `versus [--rounds N] [--seconds S] [--only SYSTEM,…] [--tests TEST,…]`. Systems whose programs
//! are not there are left out, by name. The test `footprint` builds a program of ours from nothing,
//! which takes a while.

mod footprint;
mod plan;
mod provenance;
mod run;
mod table;

use lexopt::{Arg, ValueExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Holds what was asked for.
#[derive(Debug)]
struct Wishes {
    rounds: usize,
    seconds: f64,
    systems: Vec<String>,
    tests: Vec<String>,
}

fn wishes() -> Result<Wishes, lexopt::Error> {
    let mut wishes = Wishes { rounds: 5, seconds: 1.0, systems: Vec::new(), tests: Vec::new() };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        let list = |text: String| text.split(',').map(str::to_owned).collect();
        match argument {
            Arg::Long("rounds") => wishes.rounds = parser.value()?.parse()?,
            Arg::Long("seconds") => wishes.seconds = parser.value()?.parse()?,
            Arg::Long("only") => wishes.systems = list(parser.value()?.string()?),
            Arg::Long("tests") => wishes.tests = list(parser.value()?.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(wishes)
}

/// The folder of our own workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn main() -> ExitCode {
    let wishes = match wishes() {
        Ok(wishes) => wishes,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let wanted =
        |list: &[String], name: &str| list.is_empty() || list.iter().any(|one| one == name);
    let (systems, absent): (Vec<_>, Vec<_>) = plan::systems()
        .into_iter()
        .filter(|system| wanted(&wishes.systems, system.name))
        .partition(run::is_there);
    let tests: Vec<_> =
        plan::tests().into_iter().filter(|test| wanted(&wishes.tests, test.name)).collect();
    versus_load::raise_descriptor_limit();
    let mut results = table::Results::default();
    for round in 0..wishes.rounds {
        eprintln!("round {} of {}", round + 1, wishes.rounds);
        for test in &tests {
            for system in &systems {
                if !test.is_for(system) {
                    continue;
                }
                match run::measure(system, test, wishes.seconds) {
                    Ok(Some(measured)) => results.add(system, test, measured),
                    Ok(None) => {}
                    Err(error) => eprintln!("{} {}: {error}", system.name, test.name),
                }
            }
        }
    }
    let absent: Vec<_> = absent.iter().map(|system| system.name).collect();
    provenance::print(wishes.rounds, wishes.seconds);
    results.print(&systems, &tests, &absent);
    if wanted(&wishes.tests, "footprint")
        && let Err(error) = footprint::print()
    {
        eprintln!("footprint: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
